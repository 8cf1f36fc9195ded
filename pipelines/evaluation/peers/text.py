"""Text alone: items whose texts are near those of the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.evaluation.cases import Indices, Interactions
from pipelines.evaluation.peers.peer import Kind, Peer, Settings

MEAN_OF = (1, 3, 5, 10, 1_000_000)
"""How many of the newest items of a history count; the last means all."""
NEAREST_OF = (1, 3, 5, 10, 50)
"""Bounded, as each of them is compared with the whole catalogue."""


class TextMean:
    """Scores an item by the cosine of its text vector with the mean of the history's.

    Args:
      vectors: `[N, H]`, of length 1, or 0 for an item without a text.
      last: how many of the newest items of a history count.
    """

    def __init__(self, vectors: np.ndarray, last: int) -> None:
        self._vectors = vectors
        self._last = last

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        means = np.zeros((len(histories), self._vectors.shape[1]), np.float32)
        for mean, history in zip(means, histories, strict=True):
            if len(history):
                mean[:] = self._vectors[history[-self._last :]].mean(axis=0)
        return means @ self._vectors.T


class TextNearest:
    """Scores an item by the cosine of its text vector with the nearest one of the history.

    Arguments as for `TextMean`.
    """

    def __init__(self, vectors: np.ndarray, last: int) -> None:
        self._vectors = vectors
        self._last = last

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        newest = [history[-self._last :] for history in histories]
        distinct, places = np.unique(np.concatenate(newest), return_inverse=True)
        cosines = self._vectors[distinct.astype(np.int64)] @ self._vectors.T
        scores = np.zeros((len(histories), len(self._vectors)), np.float32)
        for row, own in zip(scores, np.split(places, np.cumsum([*map(len, newest)])[:-1]), strict=True):
            if len(own):
                cosines[own].max(axis=0, out=row)
        return scores


def text_mean(vectors: np.ndarray) -> Kind:
    """The text-only peer of the textbooks, over how much of the history counts."""

    def fit(_: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        for settings in grid:
            yield TextMean(vectors, int(settings["last"]))

    return Kind("text, mean", [{"last": last} for last in MEAN_OF], fit)


def text_nearest(vectors: np.ndarray) -> Kind:
    """The nearest text, which does not blur a history of several interests."""

    def fit(_: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        for settings in grid:
            yield TextNearest(vectors, int(settings["last"]))

    return Kind("text, nearest", [{"last": last} for last in NEAREST_OF], fit)
