"""The metrics of lists by hand, and against slow definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation import lists

# Items 2 to 6; behind a shorter list stands 0.
TOP = np.array([[2, 3, 4], [2, 3, 0], [2, 0, 0], [0, 0, 0]])


def test_known_values() -> None:
    shown = lists.times_shown(TOP, 7)
    assert shown.tolist() == [3, 2, 1, 0, 0]
    assert lists.coverage(shown) == 3 / 5
    # By rising share 0 0 1 2 3 of 6, weighed by -4 -2 0 2 4 and divided by 5 - 1.
    assert lists.gini(shown) == pytest.approx((2 * 2 + 4 * 3) / (6 * 4))
    users_of_items = np.array([0, 0, 8, 4, 0, 1, 1])
    novelty = lists.novelty(TOP, users_of_items, users=8)
    # Everybody has item 2: 0 bits; half have 3: 1 bit; 4 is unseen and counts as one user of 8: 3 bits.
    np.testing.assert_allclose(novelty, [4 / 3, 1 / 2, 0, math.nan])


def test_the_ends_of_gini() -> None:
    assert lists.gini(np.array([5, 5, 5, 5])) == 0
    assert lists.gini(np.array([0, 0, 7, 0])) == 1
    assert lists.gini(np.array([3])) == 0
    assert lists.gini(np.zeros(4)) == 0


@given(st.lists(st.integers(0, 9), min_size=2, max_size=12).filter(any))
def test_gini_is_the_mean_difference_of_each_two_items(shown: list[int]) -> None:
    size = len(shown)
    differences = sum(abs(one - other) for one, other in itertools.combinations(shown, 2))
    assert lists.gini(np.array(shown)) == pytest.approx(differences / (sum(shown) * (size - 1)))


@given(st.integers(0, 1000))
def test_similarity_is_the_mean_cosine_of_each_two_items_with_a_vector(seed: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(9, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[[0, 1, 5]] = 0
    top = np.array([generator.permutation(np.arange(2, 9))[:5] for _ in range(6)])
    for row in top:
        row[generator.integers(0, 6) :] = 0
    for row, similarity in zip(top, lists.list_similarity(top, vectors), strict=True):
        known = [item for item in row if vectors[item].any()]
        cosines = [vectors[one] @ vectors[other] for one, other in itertools.combinations(known, 2)]
        if cosines:
            assert similarity == pytest.approx(np.mean(cosines))
        else:
            assert math.isnan(similarity)


def test_many_lists_are_measured_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(7, 3))
    whole = lists.list_similarity(TOP, vectors)
    monkeypatch.setattr(lists, "LISTS", 3)
    np.testing.assert_array_equal(lists.list_similarity(TOP, vectors), whole)
    assert len(lists.list_similarity(TOP[:0], vectors)) == 0
