"""The metrics against slow definitions written another way."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.metrics import (
    RESAMPLES,
    bootstrap_intervals,
    case_ndcg_at,
    case_recall_at,
    case_reciprocal_rank,
    ndcg_at,
    percentile_intervals,
    recall_at,
    reciprocal_rank,
    resampled_means,
    target_ranks,
)


def bootstrap_interval(values, weights=None):
    low, high = percentile_intervals(resampled_means(np.asarray(values)[:, None], weights))[0]
    return float(low), float(high)


@st.composite
def rankings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    score = st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0, math.nan])
    scores = draw(st.lists(score, min_size=rows * columns, max_size=rows * columns))
    excluded = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    targets = draw(st.lists(st.integers(0, columns - 1), min_size=rows, max_size=rows))
    shape = (rows, columns)
    return np.reshape(scores, shape), np.array(targets), np.reshape(excluded, shape)


@given(rankings())
def test_the_rank_is_the_mean_place_over_all_orders_of_equals(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, targets, excluded = case
    for rank, row, target, out in zip(
        target_ranks(scores, targets, excluded), scores, targets, excluded, strict=True
    ):
        items = [item for item in range(len(row)) if not out[item] or item == target]
        key = [-math.inf if math.isnan(score) else score for score in row]
        places = [
            order.index(target) + 1
            for order in itertools.permutations(items)
            if all(key[a] >= key[b] for a, b in itertools.pairwise(order))
        ]
        assert rank == sum(places) / len(places)


@given(rankings())
def test_the_arguments_are_left_alone(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    before = [array.copy() for array in case]
    target_ranks(*case)
    for array, copy in zip(case, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_model_that_says_the_same_of_everything_gets_the_middle() -> None:
    excluded = np.zeros((2, 101), bool)
    for score in (0.0, np.nan):
        np.testing.assert_array_equal(
            target_ranks(np.full((2, 101), score), np.array([0, 100]), excluded), [51, 51]
        )


def test_known_values() -> None:
    ranks = np.array([1, 2, 3, 10, 10.5, 11, np.inf])
    np.testing.assert_array_equal(recall_at(ranks, 10), [1, 1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(ndcg_at(ranks, 10)[:3], [1, 0.6309297535714575, 0.5])
    np.testing.assert_array_equal(ndcg_at(ranks, 10)[4:], 0)
    np.testing.assert_allclose(reciprocal_rank(ranks)[[0, 1, 3, 6]], [1, 0.5, 0.1, 0])


@st.composite
def several_targets(draw: st.DrawFn) -> list[list[int]]:
    """For each case the distinct ranks of its targets."""
    ranks = st.lists(st.integers(1, 15), min_size=1, max_size=8, unique=True)
    return draw(st.lists(ranks, min_size=1, max_size=5))


@given(several_targets(), st.integers(1, 12))
def test_cases_with_several_targets(cases: list[list[int]], k: int) -> None:
    ranks = np.array([rank for case in cases for rank in case], float)
    numbers = np.array([number for number, case in enumerate(cases) for _ in case])
    recall, ndcg = case_recall_at(ranks, numbers, k), case_ndcg_at(ranks, numbers, k)
    reciprocal = case_reciprocal_rank(ranks, numbers)
    for number, case in enumerate(cases):
        relevant = [1 if place in case else 0 for place in range(1, 16)]
        assert recall[number] == pytest.approx(sum(relevant[:k]) / len(case))
        gain = sum(hit / math.log2(place + 1) for place, hit in enumerate(relevant[:k], 1))
        ideal = sorted(relevant, reverse=True)
        ideal_gain = sum(hit / math.log2(place + 1) for place, hit in enumerate(ideal[:k], 1))
        assert ndcg[number] == pytest.approx(gain / ideal_gain)
        assert reciprocal[number] == pytest.approx(1 / (relevant.index(1) + 1))


@given(st.lists(st.integers(1, 30), min_size=1), st.integers(1, 12))
def test_one_target_a_case_is_the_plain_metric(ranks: list[int], k: int) -> None:
    cases, places = np.arange(len(ranks)), np.array(ranks, float)
    np.testing.assert_allclose(case_recall_at(places, cases, k), recall_at(places, k))
    np.testing.assert_allclose(case_ndcg_at(places, cases, k), ndcg_at(places, k))
    np.testing.assert_allclose(case_reciprocal_rank(places, cases), reciprocal_rank(places))


def test_the_interval_is_that_of_the_normal_distribution_for_many_cases() -> None:
    values = np.random.default_rng(1).normal(3, 2, 10_000)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=half / 5)
    assert high == pytest.approx(values.mean() + half, abs=half / 5)
    assert bootstrap_interval(values[:50]) == bootstrap_interval(values[:50])


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    samples = np.random.default_rng(2).random((100, 400)) < 0.3
    low, high = bootstrap_intervals(samples).T
    assert 0.93 <= np.mean((low <= 0.3) & (high >= 0.3)) <= 0.98


def test_weighted_cases_are_drawn_whole() -> None:
    # 40 users with ten ratings each that all agree know no more than 40 ratings do.
    users = np.random.default_rng(3).normal(0, 1, 40)
    whole = bootstrap_interval(users, weights=np.full(40, 10.0))
    assert whole == pytest.approx(bootstrap_interval(users))
    uneven = bootstrap_interval(np.array([1.0, 5.0]), weights=np.array([9.0, 1.0]))
    assert uneven == pytest.approx((1.0, 5.0))


def test_weights_weigh() -> None:
    values, weights = np.arange(100.0), np.linspace(1, 3, 100)
    low, high = bootstrap_interval(values, weights)
    assert low < np.average(values, weights=weights) < high
    assert low > np.mean(values) - 5


def test_columns_are_judged_by_the_same_draws() -> None:
    generator = np.random.default_rng(4)
    one, weights = generator.random(50), generator.random(50) + 0.5
    other = one - 0.1
    columns = np.column_stack([one, other, one - other])
    intervals = percentile_intervals(resampled_means(columns, weights))
    np.testing.assert_allclose(intervals[0], bootstrap_interval(one, weights))
    # The two are a tenth apart for every case, so no draw leaves any doubt about it.
    np.testing.assert_allclose(intervals[2], [0.1, 0.1])
    alike = resampled_means(columns, np.full(50, 2.0))
    np.testing.assert_allclose(bootstrap_intervals(columns), percentile_intervals(alike))


def test_the_interval_is_that_of_drawing_the_cases() -> None:
    values, weights = np.random.default_rng(5).random(20), np.linspace(1, 2, 20)
    generator = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(20, size=20)
        means.append(np.average(values[drawn], weights=weights[drawn]))
    expected = np.quantile(means, [0.025, 0.975])
    np.testing.assert_allclose(bootstrap_interval(values, weights), expected)
