"""Biases: the peer of rating prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.cases import Indices, Interactions

STRENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
SWEEPS = 20


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
        """Minimises the squared error + strength (|user biases|² + |item biases|²) by turns.

        Raises:
          ValueError: there are no labels.
        """
        if interactions.label is None:
            raise ValueError("a bias needs labels")
        mean = float(interactions.label.mean())
        rest = interactions.label - mean
        user_bias, item_bias = np.zeros(users), np.zeros(items)
        for _ in range(SWEEPS):
            item_bias = _shrunk(interactions.item, rest - user_bias[interactions.user], items, strength)
            user_bias = _shrunk(interactions.user, rest - item_bias[interactions.item], users, strength)
        return cls(strength, mean, user_bias, item_bias)

    def predict(self, user: Indices, item: Indices) -> np.ndarray:
        """Predicted labels `[T]` of users `[T]` and items `[T]`."""
        return self.mean + self.user_bias[user] + self.item_bias[item]


def biases(interactions: Interactions, users: int, items: int) -> Iterator[UserItemBias]:
    """A fitted bias for each strength."""
    for strength in STRENGTHS:
        yield UserItemBias.fit(interactions, users, items, strength)


def _shrunk(groups: Indices, values: np.ndarray, size: int, strength: float) -> np.ndarray:
    sums = np.bincount(groups, values, minlength=size)
    return sums / (np.bincount(groups, minlength=size) + strength)
