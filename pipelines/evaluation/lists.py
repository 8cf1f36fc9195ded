"""Metrics of what is shown, whatever it hits: coverage, concentration, novelty and likeness.

Each reads the lists `top [C, K]` of item indices, in which padding stands behind a shorter list.
"""

from __future__ import annotations

import numpy as np

from preprocessing.schema import PADDING, RESERVED

LISTS = 1024
"""Lists whose vectors are gathered at a time."""


def times_shown(top: np.ndarray, items: int) -> np.ndarray:
    """How often each item of the catalogue is shown `[N - 2]`, the reserved indices left out."""
    return np.bincount(top.ravel(), minlength=items)[RESERVED:]


def coverage(shown: np.ndarray) -> float:
    """The share of all the catalogue's items, unseen ones too, that are shown to anybody.

    Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy: evaluating recommender systems by coverage and
    serendipity", RecSys 2010.

    Args:
      shown: `[I]`, how often each item is shown.
    """
    return float((shown > 0).mean())


def gini(shown: np.ndarray) -> float:
    """How unequally the items are shown: 0 when all are shown as often, 1 when one takes everything.

    Σ (2j - n - 1) p_j / (n - 1) over the n items of the catalogue by rising share p_j of what is shown.
    Shani and Gunawardana, "Evaluating recommendation systems", Recommender Systems Handbook 2011, 8.3.3.

    Args:
      shown: `[I]`, how often each item is shown; 0 is the answer for a single item and for nothing shown.
    """
    size, total = len(shown), shown.sum()
    if size < 2 or not total:
        return 0.0
    places = 2 * np.arange(1, size + 1) - size - 1
    return float(places @ np.sort(shown) / (total * (size - 1)))


def novelty(top: np.ndarray, item_users: np.ndarray, users: int) -> np.ndarray:
    """The mean self-information of a list's items: -log2 of the share of training users who have each.

    An unseen item counts as one that a single user has, since its own share would be infinitely novel.
    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010.

    Args:
      top: `[C, K]`.
      item_users: `[N]`, how many training users have each item.
      users: how many training users there are.

    Returns:
      `[C]` bits, NaN for an empty list.
    """
    bits = np.log2(users / np.maximum(item_users, 1))
    shown = top != PADDING
    with np.errstate(invalid="ignore"):
        return np.where(shown, bits[top], 0).sum(axis=1) / shown.sum(axis=1)


def list_similarity(top: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The mean cosine of each two items of a list that have a vector.

    Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005.

    Args:
      top: `[C, K]`.
      vectors: `[N, H]`, of length 1, or 0 for an item that has none.

    Returns:
      `[C]`, NaN for a list of fewer than two such items.
    """
    parts = [_similarity(top[begin : begin + LISTS], vectors) for begin in range(0, len(top), LISTS)]
    return np.concatenate([np.zeros(0), *parts])


def _similarity(top: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    shown = vectors[top] * (top != PADDING)[:, :, None]
    # The square of a sum holds each pair twice, and each item once with itself.
    own = np.square(shown).sum(axis=(1, 2))
    pairs = np.square(shown.sum(axis=1)).sum(axis=1) - own
    count = shown.any(axis=2).sum(axis=1)
    return pairs / np.where(count > 1, count * (count - 1), np.nan)
