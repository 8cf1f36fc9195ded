"""The simple models that Tandem has to beat on the same split.

Every peer is fitted on the training interactions alone and then sees, like Tandem, each case's
history. What a peer leaves open is chosen on the validation cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.evaluation.cases import Cases, Indices, Interactions
from preprocessing.schema import RESERVED
from trainer.metrics import case_ndcg_at, target_ranks

EASE_STRENGTHS = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
BIAS_STRENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
BIAS_SWEEPS = 20
ROWS = 256


class Peer(Protocol):
    """Scores the whole catalogue for histories."""

    def scores(self, histories: Sequence[Indices]) -> np.ndarray:
        """Returns `[B, N]`, a score an item index, higher is better."""


class Popularity:
    """Scores an item by its number of training interactions, whatever the history."""

    def __init__(self, interactions: Interactions, items: int) -> None:
        self._counts = np.bincount(interactions.item, minlength=items).astype(np.float64)

    def scores(self, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        return np.broadcast_to(self._counts, (len(histories), len(self._counts)))


class Ease:
    """The linear model that predicts each item from the others: B with a zero diagonal.

    B minimises |X - XB|² + strength |B|² for the binary matrix X of training interactions, in closed
    form: with P = (XᵀX + strength I)⁻¹, B = -P / diag(P) off the diagonal. Inverting takes the cube of
    the catalogue's size. An empty history scores every item 0.
    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.

    Args:
      gram: `[N, N]`, XᵀX.
      strength: of the regularisation.
    """

    def __init__(self, gram: np.ndarray, strength: float) -> None:
        self.strength = strength
        inverse = np.linalg.inv(gram + strength * np.eye(len(gram)))
        self._weights = -inverse / np.diag(inverse)
        np.fill_diagonal(self._weights, 0)

    def scores(self, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        return multi_hot(histories, len(self._weights)) @ self._weights


@dataclass(frozen=True)
class UserItemBias:
    """Predicts a label as mean + user bias + item bias, each shrunk towards 0.

    Koren, "Factor in the neighbors", TKDD 2010, section 2.1. A user or item without training
    interactions has the bias 0.

    Attributes:
      strength: how many interactions with the mean label each bias is shrunk by.
    """

    strength: float
    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray

    @classmethod
    def fit(cls, interactions: Interactions, users: int, items: int, strength: float) -> UserItemBias:
        """Minimises the squared error + strength (|user biases|² + |item biases|²) by turns."""
        if interactions.label is None:
            raise ValueError("a bias needs labels")
        mean = float(interactions.label.mean())
        rest = interactions.label - mean
        user_bias, item_bias = np.zeros(users), np.zeros(items)
        for _ in range(BIAS_SWEEPS):
            item_bias = _shrunk(interactions.item, rest - user_bias[interactions.user], items, strength)
            user_bias = _shrunk(interactions.user, rest - item_bias[interactions.item], users, strength)
        return cls(strength, mean, user_bias, item_bias)

    def predict(self, user: Indices, item: Indices) -> np.ndarray:
        """Predicted labels `[T]` of users `[T]` and items `[T]`."""
        return self.mean + self.user_bias[user] + self.item_bias[item]


def choose_ease(interactions: Interactions, users: int, items: int, validation: Cases) -> Ease:
    """Fits EASE with each strength and keeps the one with the best NDCG@10 on the validation cases."""
    gram = gram_matrix(interactions.histories(users), items)
    best, best_ndcg = Ease(gram, EASE_STRENGTHS[0]), -1.0
    for strength in EASE_STRENGTHS:
        ease = Ease(gram, strength)
        ndcg = float(case_ndcg_at(catalogue_ranks(ease, validation), validation.case, 10).mean())
        if ndcg > best_ndcg:
            best, best_ndcg = ease, ndcg
    return best


def choose_bias(interactions: Interactions, users: int, items: int, validation: Cases) -> UserItemBias:
    """Fits the bias with each strength and keeps the one with the lowest error on the validation cases."""

    def error(bias: UserItemBias) -> float:
        predicted = bias.predict(validation.user[validation.case], validation.target)
        return float(np.square(predicted - validation.label).mean())

    return min((UserItemBias.fit(interactions, users, items, each) for each in BIAS_STRENGTHS), key=error)


def catalogue_ranks(peer: Peer, cases: Cases) -> np.ndarray:
    """Ranks each target `[T]` among the whole catalogue, the case's history left out."""
    ranks = np.zeros(len(cases.target))
    for rows, targets in cases.batches(ROWS):
        histories = cases.history[rows]
        scores = peer.scores(histories)
        excluded = multi_hot(histories, scores.shape[1]) > 0
        excluded[:, :RESERVED] = True
        # A case may have many targets, and each takes a row of its own.
        for begin in range(targets.start, targets.stop, ROWS):
            some = slice(begin, min(begin + ROWS, targets.stop))
            row = cases.case[some] - rows.start
            ranks[some] = target_ranks(scores[row], cases.target[some], excluded[row])
    return ranks


def gram_matrix(histories: Sequence[Indices], items: int) -> np.ndarray:
    """XᵀX `[N, N]` of the binary user-item matrix X, some rows at a time."""
    gram = np.zeros((items, items))
    for begin in range(0, len(histories), ROWS):
        rows = multi_hot(histories[begin : begin + ROWS], items)
        gram += rows.T @ rows
    return gram


def multi_hot(histories: Sequence[Indices], items: int) -> np.ndarray:
    """`[B, N]`, 1 where the history holds the item, else 0."""
    rows = np.zeros((len(histories), items))
    for row, history in zip(rows, histories, strict=True):
        row[history] = 1
    return rows


def _shrunk(groups: Indices, values: np.ndarray, size: int, strength: float) -> np.ndarray:
    sums = np.bincount(groups, values, minlength=size)
    return sums / (np.bincount(groups, minlength=size) + strength)
