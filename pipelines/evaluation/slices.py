"""Parts of the held-out targets that are worth a look of their own.

A case counts in a slice with only those of its targets that belong to it; they are ranked among the whole
catalogue all the same. Slices that hold no target are left out.
"""

from __future__ import annotations

import numpy as np

from pipelines.evaluation.cases import Cases, Indices

ALL = "all"
"""The name of all targets, where it stands beside those of slices."""
ITEM_SLICES = ("unseen items", "seen items", "head", "torso", "tail")
WITH_HISTORY = ("unseen, history", "seen, history")
BANDS = {"history 1-5": (1, 5), "history 6-20": (6, 20), "history 21-100": (21, 100)}
LONGEST = "history 101+"
USER_SLICES = ("new users", "no history", *BANDS, LONGEST)
SLICES = (*ITEM_SLICES, *WITH_HISTORY, *USER_SLICES)

END_SHARE = 0.2
"""The share of the interactions before the part that the head holds, and the tail."""


def slices(cases: Cases, item_counts: Indices, user_counts: Indices) -> dict[str, np.ndarray]:
    """Which targets `[T]` each slice holds.

    Unseen items and new users have no interaction before the part; a new user may have a history all the
    same, from within the part before the cut. Where some users have no history, what the others wanted
    is a slice of its own, of unseen and of seen items. Head, torso and tail are of the seen items, see
    `popularity_bands`; the length of a history is the number of items before the cut.

    Args:
      cases: of the part.
      item_counts: `[N]`, interactions before the part of each item.
      user_counts: `[U]`, likewise of each user.
    """
    seen = item_counts[cases.target] > 0
    head, tail = popularity_bands(item_counts)
    lengths = np.array([len(history) for history in cases.history])[cases.case]
    found = {
        "unseen items": ~seen,
        "seen items": seen,
        "head": seen & head[cases.target],
        "torso": seen & ~head[cases.target] & ~tail[cases.target],
        "tail": seen & tail[cases.target],
        "new users": user_counts[cases.user[cases.case]] == 0,
        "no history": lengths == 0,
    }
    if found["no history"].any():
        found |= {name: held & (lengths > 0) for name, held in zip(WITH_HISTORY, (~seen, seen), strict=True)}
    for name, (shortest, longest) in BANDS.items():
        found[name] = (lengths >= shortest) & (lengths <= longest)
    found[LONGEST] = lengths > longest
    return {name: held for name, held in found.items() if held.any()}


def popularity_bands(item_counts: Indices) -> tuple[np.ndarray, np.ndarray]:
    """Which items `[N]` are of the head, and which of the tail.

    Of all items by falling training count, the head is the first ones that together hold a fifth of the
    interactions, the tail the last ones that do. Abdollahpouri et al., "User-centered evaluation of
    popularity bias in recommender systems", UMAP 2021.
    """
    order = np.argsort(-item_counts, kind="stable")
    total = item_counts.sum()
    before = np.cumsum(item_counts[order]) - item_counts[order]
    head, tail = np.zeros(len(order), bool), np.zeros(len(order), bool)
    head[order] = before < END_SHARE * total
    tail[order] = before >= (1 - END_SHARE) * total
    return head, tail
