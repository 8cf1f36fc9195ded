"""Histories, windows and what is counted of them."""

from __future__ import annotations

import random as python_random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.batches import place_of
from preprocessing.config import LeaveLast
from preprocessing.entities import first_unseen, index_ids
from preprocessing.histories import build_histories, facts_of, merge_facts, train_examples, windows
from tests.preprocessing.conftest import batch_of


@pytest.mark.parametrize(
    ("length", "window", "expected"),
    [
        (0, 3, []),
        (1, 3, [(0, 1)]),
        (3, 3, [(0, 3)]),
        (4, 3, [(0, 1), (1, 4)]),
        (8, 3, [(0, 2), (2, 5), (5, 8)]),
    ],
)
def test_the_last_window_is_full(length: int, window: int, expected: list[tuple[int, int]]) -> None:
    assert list(windows(length, window)) == expected


rows = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 3), st.integers(1, 5).map(float)
    ),
    max_size=30,
)


@given(rows)
def test_histories_are_sorted_by_time_and_ties_keep_the_inputs_order(
    rows: list[tuple[str, str, int, float]],
) -> None:
    placed = [(*row, (), place_of(number // 10, number % 10)) for number, row in enumerate(rows)]
    shuffled = python_random.Random(0).sample(placed, len(placed))
    histories = build_histories(batch_of(shuffled), LeaveLast(), None)
    expected: dict[str, list[str]] = {}
    for user, item, *_ in sorted(placed, key=lambda row: row[2]):
        expected.setdefault(user, []).append(item)
    assert {user: histories.rows.items[place].tolist() for user, place in histories} == expected
    assert sum(facts_of(histories)["interactions"]) == len(rows)


@given(rows, st.integers(2, 5))
def test_training_windows_hold_the_training_interactions(
    rows: list[tuple[str, str, int, float]], window: int
) -> None:
    batch = batch_of([(*row, (), number) for number, row in enumerate(rows)])
    histories = build_histories(batch, LeaveLast(), None)
    items = index_ids(histories.train_counts(histories.rows.items))
    users = index_ids(histories.train_counts(histories.rows.users))
    found: dict[int, list[int]] = {}
    for user, start, features in train_examples(histories, items, users, window, True, True):
        assert start == len(found.get(user, [])) == features["start"][0]
        assert len(features["item"]) <= window
        assert len(features["label"]) == len(features["time"]) == len(features["item"])
        found.setdefault(user, []).extend(features["item"])
    lengths = Counter(row[0] for row in rows)
    assert {user: len(sequence) for user, sequence in found.items()} == {
        users[user][0]: length - 2 * (length >= 3) for user, length in lengths.items()
    }


def test_indices_fall_with_the_count_and_ties_go_by_id() -> None:
    index = index_ids({"b": 2, "a": 2, "new": 0, "c": 5, "10": 0, "9": 0})
    assert list(index) == ["c", "a", "b", "10", "9", "new"]
    assert [number for number, _ in index.values()] == [2, 3, 4, 5, 6, 7]
    assert first_unseen(index) == 5


def test_facts_of_parts_add_up_to_the_facts_of_the_whole() -> None:
    rows = [(f"u{number % 7}", "i", number, float(number % 25), (), number) for number in range(100)]
    whole = facts_of(build_histories(batch_of(rows), LeaveLast(), None))
    parts = [
        [row for row in rows if row[0] in users]
        for users in (("u0", "u1", "u2"), ("u3",), ("u4", "u5", "u6"), ())
    ]
    merged = merge_facts([facts_of(build_histories(batch_of(part), LeaveLast(), None)) for part in parts])
    assert merged == merge_facts([whole])
    assert merged["labels"] is None
    assert merged["time_range"] == [0, 99]
