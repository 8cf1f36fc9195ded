"""Measures the model on the validation cuts while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, InputError, Schema
from trainer.config import TrainerConfig
from trainer.dataset import history_batch, read_cuts
from trainer.metrics import case_ndcg_at, case_recall_at, target_ranks
from trainer.model import Tandem
from trainer.tracing import graph

BLENDS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
HARMLESS = 0.002
"""A blend may cost this share of NDCG@10 for a better AUC."""
DRAWN = 10
"""Random items that each target is compared with for the AUC."""
BATCH = 256


class Validation:
    """Ranks the whole catalogue for every validation cut, the history left out.

    Args:
      model: what is measured, with the weights that it has at the time.
      examples: the examples folder; its cuts are kept in memory.
      schema: of these examples.
      config: tells how much history the model reads and how many candidates are re-ranked.

    Raises:
      InputError: there is nothing new to any user to validate with.
    """

    def __init__(self, model: Tandem, examples: Path, schema: Schema, config: TrainerConfig) -> None:
        self._model = model
        self._user_vectors = graph(model.users)
        self._about = graph(model.about_user)
        self._labels = graph(self._predict_labels)
        self._candidates = config.export.candidates
        self._cuts = [cut for cut in read_cuts(examples, schema, "validation") if len(cut.items)]
        if not self._cuts:
            raise InputError(
                f"{examples}: every held-out interaction of the validation part repeats its user's history, "
                "so there is nothing to validate with"
            )
        self._history = history_batch([cut.history for cut in self._cuts], config.model.history)
        self._user = np.array([cut.user for cut in self._cuts], np.int64)
        counts = [len(cut.items) for cut in self._cuts]
        self._row = np.repeat(np.arange(len(self._cuts)), counts)
        self._target = np.concatenate([np.zeros(0, np.int64), *[cut.items for cut in self._cuts]])
        labels = [cut.labels for cut in self._cuts if len(cut.labels)]
        self._label = np.concatenate(labels) if labels and schema.label else None

    def _batches(self) -> Iterator[tuple[Any, ...]]:
        catalogue = self._model.catalogue()
        # Each target takes a row of scores, so it is targets, not cuts, that make a batch large.
        batch = np.cumsum([len(cut.items) for cut in self._cuts]) // BATCH
        for rows in np.split(np.arange(len(self._cuts)), np.flatnonzero(np.diff(batch)) + 1):
            users = self._user_vectors(self._history[rows], self._about(self._user[rows]), catalogue)
            scores = tf.matmul(users, catalogue, transpose_b=True).numpy()
            excluded = np.zeros(scores.shape, bool)
            excluded[:, :RESERVED] = True
            for row, number in enumerate(rows):
                excluded[row, self._cuts[number].history] = True
            cases = np.flatnonzero((self._row >= rows[0]) & (self._row <= rows[-1]))
            yield rows, cases, self._row[cases] - rows[0], users, catalogue, scores, excluded

    def _predict_labels(
        self, user: tf.Tensor, item: tf.Tensor, user_vectors: tf.Tensor, catalogue: tf.Tensor
    ) -> tf.Tensor:
        user = self._model.known_user(user)
        return self._model.ranker(user, item, user_vectors, tf.gather(catalogue, item))

    def measure(self) -> dict[str, float]:
        """Recall@10 and NDCG@10 of retrieval and, with labels, the ranker's RMSE."""
        ranks = np.zeros(len(self._target))
        errors = np.zeros(len(self._target))
        for _, cases, row, users, catalogue, scores, excluded in self._batches():
            target = self._target[cases]
            ranks[cases] = target_ranks(scores[row], target, excluded[row])
            if self._label is not None:
                user = self._user[self._row[cases]]
                predicted = self._labels(user, target, tf.gather(users, row), catalogue)
                errors[cases] = self._model.ranker.labels_of(predicted).numpy() - self._label[cases]
        metrics = {
            "ndcg@10": float(case_ndcg_at(ranks, self._row, 10).mean()),
            "recall@10": float(case_recall_at(ranks, self._row, 10).mean()),
        }
        if self._label is not None:
            metrics["rmse"] = float(np.sqrt((errors**2).mean()))
        return metrics

    def choose_blend(self) -> tuple[float, float]:
        """Chooses the weight w of `retrieval + w * ranking` among the best retrieval candidates.

        Ranking scores are standardised, so the weights mean the same whatever the label's scale.

        Returns:
          the weight and its NDCG@10, see `best_blend`.
        """
        ranks = np.zeros((len(BLENDS), len(self._target)))
        wins = np.zeros((len(BLENDS), len(self._target)))
        generator = np.random.default_rng(0)
        for rows, cases, row, users, catalogue, scores, excluded in self._batches():
            target = self._target[cases]
            drawn = generator.integers(RESERVED, scores.shape[1], (len(cases), DRAWN))
            compared = np.concatenate([target[:, None], drawn], 1)
            retrieved = np.take_along_axis(scores[row], compared, 1)
            ranking = self._rank(rows[row], compared, tf.gather(users, row), catalogue)
            for number, blend in enumerate(BLENDS):
                wins[number, cases] = _wins(retrieved + blend * ranking)

            scores = np.where(excluded, -np.inf, scores)
            count = min(self._candidates, scores.shape[1])
            top = np.argpartition(-scores, count - 1, 1)[:, :count]
            retrieved = np.take_along_axis(scores, top, 1)
            ranking = self._rank(rows, top, users, catalogue)
            for number, blend in enumerate(BLENDS):
                blended = np.full(scores.shape, -np.inf, np.float32)
                np.put_along_axis(blended, top, retrieved + blend * ranking, 1)
                found = np.isfinite(blended[row, target])
                place = target_ranks(blended[row], target, excluded[row])
                ranks[number, cases] = np.where(found, place, np.inf)
        ndcg = np.array([case_ndcg_at(each, self._row, 10) for each in ranks])
        return best_blend(ndcg, wins.mean(1) if self._label is None else None)

    def _rank(
        self, rows: np.ndarray, items: np.ndarray, users: tf.Tensor, catalogue: tf.Tensor
    ) -> np.ndarray:
        """Ranking scores of items `[R, C]` for the users of some cuts `[R]`, whose vectors are given."""
        user = np.repeat(self._user[rows][:, None], items.shape[1], 1)
        vectors = tf.repeat(users[:, None], items.shape[1], 1)
        return self._labels(user, items, vectors, catalogue).numpy()


def _wins(scores: np.ndarray) -> np.ndarray:
    """The share of the others `[T, 1:]` that the first has a higher score than; ties count half `[T]`."""
    return ((scores[:, :1] > scores[:, 1:]) + (scores[:, :1] == scores[:, 1:]) / 2).mean(1)


def best_blend(ndcg: np.ndarray, auc: np.ndarray | None) -> tuple[float, float]:
    """Chooses one of `BLENDS`, of which the first leaves ranking out.

    A blend that gains more NDCG@10 than a standard error, case by case, is taken for it: a smaller lead is
    what chance gives the best of several. Where there is none, ranking may still tell good from bad
    further down, so the best AUC is taken among the blends that cost next to no NDCG@10.

    Args:
      ndcg: of each case `[blends, cases]`.
      auc: `[blends]`, or None where labels are predicted, which no blend changes.

    Returns:
      the weight and its mean NDCG@10.
    """
    means, leads = ndcg.mean(1), ndcg - ndcg[0]
    gains = leads.mean(1) > leads.std(1) / np.sqrt(ndcg.shape[1])
    if gains.any():
        best = int(np.where(gains, means, -1.0).argmax())
    elif auc is not None:
        best = int(np.where(means >= means[0] * (1 - HARMLESS), auc, -1.0).argmax())
    else:
        best = 0
    return BLENDS[best], float(means[best])
