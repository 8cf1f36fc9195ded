"""Which targets belong to which slice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.cases import Cases
from pipelines.evaluation.slices import ITEM_SLICES, USER_SLICES, WITH_HISTORY, popularity_bands, slices


def test_head_and_tail_hold_a_fifth_of_the_interactions() -> None:
    counts = np.array([0, 0, 40, 30, 20, 50, 10, 30, 20, 0])  # 200: a fifth is 40
    head, tail = popularity_bands(counts)
    # 50 alone is more than a fifth; 20 + 10 is less, and with the other 20 it is 50, which begins before.
    assert np.flatnonzero(head).tolist() == [5]
    assert [item for item in np.flatnonzero(tail) if counts[item]] == [6, 8]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30).filter(any))
def test_bands_are_in_the_order_of_popularity(numbers: list[int]) -> None:
    counts = np.array(numbers)
    head, tail = popularity_bands(counts)
    assert not (head & tail).any()
    assert head.any()
    assert counts[head].min() >= counts[~head].max(initial=0)
    assert counts[tail].max(initial=0) <= counts[~tail].min()
    assert counts[tail].sum() <= counts.sum() / 5


def test_every_target_is_in_the_slices_it_should_be() -> None:
    histories = [0, 1, 5, 6, 20, 21, 100, 101]
    cases = Cases(
        user=np.array([9, 9, 2, 3, 4, 5, 6, 7]),
        history=tuple(np.full(length, 2) for length in histories),
        target=np.array([2, 5, 3, 3, 4, 4, 2, 2, 2, 5]),
        case=np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 7]),
        label=None,
    )
    counts = np.array([0, 0, 80, 15, 5, 0])
    found = slices(cases, counts, np.array([0, 0, 1, 1, 1, 1, 1, 1, 0, 0]))
    assert {name: np.flatnonzero(held).tolist() for name, held in found.items()} == {
        "unseen items": [1, 9],
        "seen items": [0, 2, 3, 4, 5, 6, 7, 8],
        "unseen, history": [9],
        "seen, history": [2, 3, 4, 5, 6, 7, 8],
        "head": [0, 6, 7, 8],
        "tail": [2, 3, 4, 5],
        "new users": [0, 1, 2],
        "no history": [0, 1],
        "history 1-5": [2, 3],
        "history 6-20": [4, 5],
        "history 21-100": [6, 7],
        "history 101+": [8, 9],
    }
    assert set(found) <= {*ITEM_SLICES, *WITH_HISTORY, *USER_SLICES}


@pytest.mark.parametrize("names", [("head", "torso", "tail", "unseen items"), USER_SLICES[1:]])
def test_slices_of_a_kind_hold_each_target_once(names: tuple[str, ...]) -> None:
    generator = np.random.default_rng(0)
    cases = Cases(
        user=generator.integers(2, 30, 200),
        history=tuple(np.full(length, 2) for length in generator.integers(0, 150, 200)),
        target=generator.integers(2, 50, 200),
        case=np.arange(200),
        label=None,
    )
    counts = np.concatenate([[0, 0], np.sort(generator.zipf(1.5, 40).clip(max=500))[::-1], np.zeros(8, int)])
    found = slices(cases, counts, np.repeat([3, 0], [25, 5]))
    np.testing.assert_array_equal(sum(found[name].astype(int) for name in names), 1)
