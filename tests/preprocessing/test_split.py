"""The splits against plain references, one interaction at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.config import Random
from preprocessing.ids import objects
from preprocessing.split import (
    END_OF_TIME,
    TEST,
    TRAIN,
    VALIDATION,
    leave_last,
    random,
    temporal,
    temporal_cuts,
)

shares = st.floats(0.01, 0.49)


@given(st.lists(st.integers(0, 6), max_size=12))
def test_leave_last(lengths: list[int]) -> None:
    expected = []
    for length in lengths:
        held_out = [VALIDATION, TEST] if length >= 3 else []
        expected += [TRAIN] * (length - len(held_out)) + held_out
    assert leave_last(np.array(lengths, np.int64)).tolist() == expected


@given(st.lists(st.integers(-5, 15), max_size=60), shares, shares)
def test_temporal(times: list[int], validation: float, test: float) -> None:
    ordered = sorted(times)

    def beginning(share: float) -> float:
        wanted = round(share * len(ordered))
        return ordered[len(ordered) - wanted] if wanted else math.inf

    expected = [
        TEST if time >= beginning(test) else VALIDATION if time >= beginning(validation + test) else TRAIN
        for time in times
    ]
    distinct, counts = np.unique(np.array(times, np.int64), return_counts=True)
    # Counts come from several workers: in any order, and the same time more than once.
    cuts = temporal_cuts(
        np.concatenate([distinct[::-1], distinct]),
        np.concatenate([counts[::-1] - 1, np.ones_like(counts)]),
        validation,
        test,
    )
    assert temporal(np.array(times, np.int64), cuts).tolist() == expected


def test_a_moment_is_never_cut_apart() -> None:
    times = np.array([1, 2, 3, 3, 3, 3])
    cuts = temporal_cuts(np.array([1, 2, 3]), np.array([1, 1, 4]), 1 / 6, 1 / 6)
    assert temporal(times, cuts).tolist() == [TRAIN, TRAIN, TEST, TEST, TEST, TEST]


def test_nothing_to_cut() -> None:
    empty = np.array([], np.int64)
    assert temporal_cuts(empty, empty, 0.1, 0.1) == (END_OF_TIME, END_OF_TIME)
    assert temporal(empty, (0, 0)).tolist() == []


def draw(seed: int, size: int, validation: float = 0.2, test: float = 0.1) -> np.ndarray:
    users = objects(f"u{number % 97}" for number in range(size))
    items = objects(f"i{number % 89}" for number in range(size))
    split = Random(kind="random", validation=validation, test=test, seed=seed)
    return random(users, items, np.arange(size), split)


def test_random_keeps_to_the_shares() -> None:
    counts = np.bincount(draw(0, 20_000), minlength=3) / 20_000
    assert counts == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_random_depends_on_the_seed_and_on_nothing_else() -> None:
    assert draw(1, 500).tolist() == draw(1, 1000)[:500].tolist()
    assert draw(1, 500).tolist() != draw(2, 500).tolist()
    # Pinned, so that a later version draws the same.
    assert draw(0, 30).tolist() == PINNED


PINNED = [1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 1, 0, 1, 0, 0, 0, 1, 2, 0]
