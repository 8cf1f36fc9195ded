"""The k-core filter: an exact fixed point over all interactions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def hash_ids(ids: Iterable[str]) -> np.ndarray:
    """Hashes ids into 64 bits, `[N]`, the same way on every machine."""
    digests = b"".join(hashlib.blake2b(value.encode("utf-8"), digest_size=8).digest() for value in ids)
    return np.frombuffer(digests, dtype="<u8")


def k_core(users: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Leaves out users and items with fewer than `k` interactions until none is left to leave out.

    Args:
      users: `[N]`, the user of each interaction, as a number.
      items: `[N]`, the item of each interaction, as a number.
      k: at least 2.

    Returns:
      the users and the items that stay, each sorted.
    """
    user_names, users = np.unique(users, return_inverse=True)
    item_names, items = np.unique(items, return_inverse=True)
    while True:
        user_stays = np.bincount(users, minlength=len(user_names)) >= k
        item_stays = np.bincount(items, minlength=len(item_names)) >= k
        stays = user_stays[users] & item_stays[items]
        if stays.all():
            return user_names[user_stays], item_names[item_stays]
        users, items = users[stays], items[stays]


def among(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Tells for each value whether it is in the sorted array `kept`."""
    if not len(kept):
        return np.zeros(len(values), bool)
    return kept[np.minimum(np.searchsorted(kept, values), len(kept) - 1)] == values
