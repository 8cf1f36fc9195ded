"""The peers that `tandem evaluate` compares with: those that are fitted in minutes."""

from __future__ import annotations

import numpy as np

from pipelines.evaluation.cases import Interactions
from pipelines.evaluation.peers.ease import ease
from pipelines.evaluation.peers.item_knn import item_knn
from pipelines.evaluation.peers.peer import Kind
from pipelines.evaluation.peers.popularity import popularity, recent_popularity
from pipelines.evaluation.peers.text import text_mean, text_nearest

LARGEST_EASE = 20_000
"""Items; EASE inverts a matrix of this size, which takes minutes and some 5 GB from here on."""


def usual_peers(
    interactions: Interactions, users: int, items: int, texts: np.ndarray | None
) -> tuple[list[Kind], list[str]]:
    """The peers that these data allow.

    Args:
      interactions: the training part.
      users: how many indices there are.
      items: likewise.
      texts: `[N, H]` text vectors, or None.

    Returns:
      the peers, and a note for each one that is left out for the size of the data.
    """
    peers, notes = [], []
    if items <= LARGEST_EASE:
        peers.append(ease(interactions, users, items))
    else:
        notes.append(f"EASE was left out: {items:,} items, and it is fitted up to {LARGEST_EASE:,}.")
    peers.append(item_knn(interactions, users, items))
    if texts is not None:
        peers += [text_nearest(texts), text_mean(texts)]
    if interactions.time is not None:
        peers.append(recent_popularity(interactions, items))
    peers.append(popularity(interactions, items))
    return peers, notes
