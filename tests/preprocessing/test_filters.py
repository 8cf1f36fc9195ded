"""The k-core against a plain reference."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.filters import among, hash_ids, k_core


def reference(pairs: list[tuple[int, int]], k: int) -> list[tuple[int, int]]:
    while True:
        users, items = Counter(user for user, _ in pairs), Counter(item for _, item in pairs)
        kept = [(user, item) for user, item in pairs if users[user] >= k and items[item] >= k]
        if len(kept) == len(pairs):
            return kept
        pairs = kept


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=80), st.integers(2, 4))
def test_k_core(pairs: list[tuple[int, int]], k: int) -> None:
    users, items = np.array(pairs, np.uint64).reshape(-1, 2).T
    kept_users, kept_items = k_core(users, items, k)
    stays = among(users, kept_users) & among(items, kept_items)
    assert [pair for pair, stay in zip(pairs, stays, strict=True) if stay] == reference(pairs, k)


def test_a_chain_falls_one_after_the_other() -> None:
    # Each user shares an item with the next, and the last has only one: nothing can stay.
    pairs = [(n, n) for n in range(50)] + [(n, n + 1) for n in range(49)]
    users, items = np.array(pairs, np.uint64).T
    kept_users, kept_items = k_core(users, items, 2)
    assert len(kept_users) == len(kept_items) == 0


def test_ids_hash_alike_everywhere() -> None:
    assert hash_ids(["a", "红"]).tolist() == PINNED
    assert hash_ids([]).tolist() == []


PINNED = [3405396810240292928, 3110882274512250282]
