"""Judges models and peers by the same cases with the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import Progress

from pipelines.evaluation.answers import catalogue_answers, pair_scores
from pipelines.evaluation.cases import HeldOut, read_cases, read_ids, read_interactions, with_validation
from pipelines.evaluation.measures import Metric, auc, label_error
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.peers.bias import UserItemBias
from pipelines.evaluation.peers.peer import Kind, Peer
from pipelines.evaluation.peers.usual import usual_peers
from pipelines.evaluation.questions import Questions, draw_others
from pipelines.evaluation.report import Report
from pipelines.evaluation.rows import Judged, Yardstick
from pipelines.evaluation.slices import slices
from pipelines.evaluation.texts import read_texts
from pipelines.evaluation.tuning import refit, tune, tune_bias
from preprocessing.schema import PADDING, RESERVED, InputError, Schema
from serving.predictor import Predictor
from serving.recommendations import describe

CHECKED_ITEMS = 100
LARGEST_TEXTS = 20_000
"""Items whose texts `judge` has the language model read: a minute on two cores."""


def judge(
    predictor: Predictor,
    examples: Path,
    part: HeldOut,
    progress: Progress,
    version: ModelVersion | None = None,
) -> Report:
    """Compares a model with the usual peers and, with labels, with user-plus-item biases.

    The whole catalogue is ranked, the case's history left out. Of the model only the list that it
    returns is seen, so a target behind its end counts as not found; MRR too is cut there.

    Args:
      predictor: a loaded model or a client, with the signatures of docs/architecture.md.
      examples: the folder that the model was trained on.
      part: what to judge by.
      progress: where to show how far it is.
      version: which version the model is, for the record.

    Raises:
      InputError: no finished examples, an empty part, or a model that breaks its contract.
    """
    court = Judge(examples, part, progress)
    judged = [court.model("Tandem", predictor), court.retrieval("Tandem, retrieval", predictor)]
    texts, notes = None, []
    if court.schema.items.text and court.schema.items.size <= LARGEST_TEXTS:
        texts = read_texts(examples, court.schema, progress)
    elif court.schema.items.text:
        notes.append(f"Text peers and similarity were left out: more than {LARGEST_TEXTS:,} items.")
    kinds, left_out = usual_peers(court.users, court.items, times=court.times, texts=texts)
    judged += [court.peer(kind) for kind in kinds]
    if court.schema.label:
        judged.append(court.bias())
    return replace(court.report(judged, texts, [*notes, *left_out]), model=version)


class Judge:
    """Knows the cases of a part, and all else that is the same for everybody who is judged.

    Peers' settings are always chosen on the validation part, by what was fitted to the training part. To
    be judged by the test part they are fitted once more to both, as one would before going live, and as
    published figures are; what is in neither is unseen there.

    Args:
      examples: the folder of the examples.
      part: what to judge by.
      progress: where to show how far it is.

    Raises:
      InputError: no finished examples, or an empty part.
    """

    def __init__(self, examples: Path, part: HeldOut, progress: Progress) -> None:
        self.schema = Schema.read(examples)
        self.users, self.items = self.schema.users.size, self.schema.items.size
        self._interactions = read_interactions(examples, self.schema)
        self._earlier = self._interactions
        if part == "test":
            self._earlier = with_validation(self._interactions, examples, self.schema)
        self.cases = read_cases(examples, self.schema, part)
        self._validation = read_cases(examples, self.schema, "validation")
        self._item_ids = read_ids(examples, self.schema.items)
        self._user_ids = read_ids(examples, self.schema.users)
        self._drawn = draw_others(self.cases, self.items)
        self._examples = examples
        self._part = part
        self._progress = progress

    @property
    def times(self) -> bool:
        """Whether the interactions have times."""
        return self._interactions.time is not None

    def model(self, name: str, predictor: Predictor) -> Judged:
        """Judges what an exported model serves, and its ratings.

        Raises:
          InputError: it is a model of other examples, or breaks its contract.
        """
        self._check_catalogue(predictor)
        asked = self._questions(predictor)
        return Judged(name, asked.answers("serving_default"), asked.label_metric())

    def retrieval(self, name: str, predictor: Predictor) -> Judged:
        """Judges a model's candidates before ranking, which have no opinion about labels."""
        asked = self._questions(predictor)
        return Judged(name, asked.answers("retrieve"), {} if self.schema.label else asked.auc("retrieved"))

    def peer(self, kind: Kind) -> Judged:
        """Tunes a peer on the validation part and judges the best of its kind."""
        task = self._progress.add_task(f"tuning {kind.name}", total=len(kind.grid))
        tuned = tune(
            kind, self._interactions, self._validation, self.items, lambda: self._progress.advance(task)
        )
        peer = tuned.peer
        if self._part == "test":
            peer = refit(tuned, kind, self._earlier, self.items)
        answers = catalogue_answers(peer, self.cases, self.items)
        labels = {} if self.schema.label else self._auc(peer)
        return Judged(kind.name, answers, labels, peer=True, trials=tuned.trials, choice=tuned.best)

    def bias(self) -> Judged:
        """Judges the ratings of user and item biases, which rank nothing."""
        label = self.schema.label
        if label is None:
            raise ValueError("biases need labels")
        bias, trials, best = tune_bias(self._interactions, self.users, self.items, self._validation)
        if self._part == "test":
            bias = UserItemBias.fit(self._earlier, self.users, self.items, bias.strength)
        predicted = bias.predict(self.cases.user[self.cases.case], self.cases.target)
        # The model's ratings are kept within the range of the labels, so the peer's are as well.
        error = label_error(np.clip(predicted, label.minimum, label.maximum), self.cases)
        return Judged("user + item bias", None, error, peer=True, trials=trials, choice=best)

    def report(self, judged: Sequence[Judged], texts: np.ndarray | None, notes: Sequence[str]) -> Report:
        """Puts them side by side; the first is whom the others are compared with.

        Args:
          judged: in the order of the table.
          texts: `[N, H]` text vectors, by which the likeness of lists is measured, or None.
          notes: what was left out, and why.
        """
        known = self._earlier.matrix(self.users, self.items)
        item_counts = self._earlier.item_counts(self.items)
        held = slices(self.cases, item_counts, np.bincount(self._earlier.user, minlength=self.users))
        yardstick = Yardstick(
            cases=self.cases,
            items=self.items,
            users=int((np.diff(known.indptr) > 0).sum()),
            item_users=np.asarray(known.sum(axis=0)).ravel(),
            slices=held,
            texts=texts,
        )
        if self.cases.repeats:
            notes = (*notes, f"{self.cases.repeats:,} held-out interactions were left out as repeats.")
        return Report(
            name=self.schema.name,
            split=self.schema.split,
            part=self._part,
            cases=len(self.cases),
            targets=len(self.cases.target),
            rows=tuple(yardstick.rows(judged)),
            choices={each.name: each.choice.settings for each in judged if each.choice},
            notes=tuple(notes),
            slices=yardstick.sizes(),
            trials={each.name: each.trials for each in judged if each.trials},
        )

    def _questions(self, predictor: Predictor) -> Questions:
        return Questions(predictor, self.cases, self._item_ids, self._user_ids, self._progress)

    def _auc(self, peer: Peer) -> dict[str, Metric]:
        wanted, other = pair_scores(peer, self.cases, self.items, self._drawn)
        return auc(wanted, np.where(self._drawn == PADDING, wanted, other), self.cases)

    def _check_catalogue(self, predictor: Predictor) -> None:
        """Refuses a model of other examples, which would answer with items that are no targets here."""
        asked = [name.decode() for name in self._item_ids[RESERVED:][:CHECKED_ITEMS]]
        titles = describe(predictor, asked)
        if titles is not None and len(titles) < len(asked) / 2:
            raise InputError(
                f"{self._examples}: the model knows {len(titles)} of the first {len(asked)} items here; "
                "is it a model of other examples?"
            )
