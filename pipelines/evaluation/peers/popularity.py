"""Popularity: of all time, and of late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.evaluation.cases import Indices, Interactions
from pipelines.evaluation.peers.peer import Kind, Peer, Settings

NEWEST_SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


class Popularity:
    """Scores an item by its number of training interactions, whoever asks.

    Args:
      counts: `[N]`, of each item.
    """

    def __init__(self, counts: np.ndarray) -> None:
        # The place of a count says as much as the count, and is exact in single precision.
        _, places = np.unique(counts, return_inverse=True)
        self._places = places.astype(np.float32)

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        return np.broadcast_to(self._places, (len(users), len(self._places)))


class OrPopular:
    """Answers as the peer does, and where that knows nothing of somebody with what is popular.

    Without it a peer would be judged by how it orders equal scores wherever a history is empty.
    """

    def __init__(self, peer: Peer, popular: Popularity) -> None:
        self._peer = peer
        self._popular = popular

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        scores = self._peer.scores(users, histories)
        silent = scores.max(axis=1) == scores.min(axis=1)
        if silent.any():
            scores = np.array(scores)
            scores[silent] = self._popular.scores(users[silent], [])
        return scores


def popularity(items: int) -> Kind:
    """The number of interactions."""

    def fit(interactions: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        for _ in grid:
            yield Popularity(interactions.item_counts(items))

    return Kind("popularity", [{}], fit)


def recent_popularity(items: int) -> Kind:
    """The number of interactions among the newest share of them.

    Ties go to what is more popular over all. A share of the interactions, and not of the time line,
    means the same for data of a day and of ten years. Ji et al., "A re-visit of the popularity
    baseline in recommender systems", SIGIR 2020.

    Fitting raises ValueError for interactions without times.
    """

    def fit(interactions: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        if interactions.time is None:
            raise ValueError("recent popularity needs times")
        newest_first = interactions.item[np.argsort(interactions.time, kind="stable")[::-1]]
        counts = interactions.item_counts(items)
        for settings in grid:
            newest = newest_first[: max(1, round(settings["newest share"] * len(newest_first)))]
            recent = np.bincount(newest, minlength=items)
            yield Popularity(recent + counts / (counts.max() + 1))

    return Kind("recent popularity", [{"newest share": share} for share in NEWEST_SHARES], fit)
