"""The peers that `tandem evaluate` compares with: those that are fitted in minutes."""

from __future__ import annotations

import numpy as np

from pipelines.evaluation.peers.ease import ease
from pipelines.evaluation.peers.item_knn import item_knn
from pipelines.evaluation.peers.peer import Kind
from pipelines.evaluation.peers.popularity import popularity, recent_popularity
from pipelines.evaluation.peers.text import text_mean, text_nearest

LARGEST_EASE = 20_000
"""Items; EASE inverts a matrix of this size, which takes minutes and some 5 GB from here on."""


def usual_peers(
    users: int, items: int, *, times: bool, texts: np.ndarray | None
) -> tuple[list[Kind], list[str]]:
    """The peers that these data allow.

    Args:
      users: how many indices there are.
      items: likewise.
      times: whether the interactions have times.
      texts: `[N, H]` text vectors, or None.

    Returns:
      the peers, and a note for each one that is left out for the size of the data.
    """
    peers, notes = [], []
    if items <= LARGEST_EASE:
        peers.append(ease(users, items))
    else:
        notes.append(f"EASE was left out: {items:,} items, and it is fitted up to {LARGEST_EASE:,}.")
    peers.append(item_knn(users, items))
    if texts is not None:
        peers += [text_nearest(texts), text_mean(texts)]
    if times:
        peers.append(recent_popularity(items))
    peers.append(popularity(items))
    return peers, notes
