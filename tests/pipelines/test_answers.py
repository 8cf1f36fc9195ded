"""Ranks and top lists of a peer, against sorting everything."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation import answers
from pipelines.evaluation.answers import catalogue_answers, catalogue_ranks, pair_scores, top_items
from pipelines.evaluation.cases import Cases, Indices


class Table:
    """Scores that were made up for each user."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        return self._scores[users]


@st.composite
def score_tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 14))
    score = st.sampled_from([-math.inf, math.nan, -1.0, 0.0, 0.5, 2.0])
    scores = draw(st.lists(score, min_size=rows * columns, max_size=rows * columns))
    excluded = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    return np.reshape(scores, (rows, columns)), np.reshape(excluded, (rows, columns))


@given(score_tables(), st.integers(1, 12))
def test_the_top_is_the_beginning_of_everything_sorted(table: tuple[np.ndarray, np.ndarray], k: int) -> None:
    scores, excluded = table
    for row, out, shown in zip(scores, excluded, top_items(scores, excluded, k), strict=True):
        kept = [item for item in range(len(row)) if not out[item] and row[item] > -math.inf]
        expected = sorted(kept, key=lambda item: (-row[item], item))[:k]
        assert shown.tolist() == expected + [0] * (k - len(expected))


@given(st.integers(0, 1000), st.integers(1, 60))
def test_answers_do_not_depend_on_the_size_of_a_batch(seed: int, at_once: int) -> None:
    generator = np.random.default_rng(seed)
    items, count = 20, 7
    cases = made_up_cases(generator, items, count)
    peer = Table(generator.integers(0, 5, (count, items)).astype(float))
    other = generator.integers(2, items, len(cases.target))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "SCORES", at_once)
        some = catalogue_answers(peer, cases, items)
        pairs = pair_scores(peer, cases, items, other)
    whole = catalogue_answers(peer, cases, items)
    np.testing.assert_array_equal(some.ranks, whole.ranks)
    np.testing.assert_array_equal(some.top, whole.top)
    np.testing.assert_array_equal(catalogue_ranks(peer, cases, items), whole.ranks)
    np.testing.assert_array_equal(pairs, pair_scores(peer, cases, items, other))


@given(st.integers(0, 1000))
def test_ranks_and_pairs_against_a_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    items, count = 15, 4
    cases = made_up_cases(generator, items, count)
    table = generator.integers(0, 4, (count, items)).astype(float)
    other = generator.integers(2, items, len(cases.target))
    ranks = catalogue_ranks(Table(table), cases, items)
    wanted, compared = pair_scores(Table(table), cases, items, other)
    for number, (case, target) in enumerate(zip(cases.case, cases.target, strict=True)):
        others = set(range(2, items)) - set(cases.history[case].tolist()) - {int(target)}
        own = table[case, target]
        better = sum(table[case, item] > own for item in others)
        equal = sum(table[case, item] == own for item in others)
        assert ranks[number] == 1 + better + equal / 2
        assert (wanted[number], compared[number]) == (own, table[case, other[number]])


def made_up_cases(generator: np.random.Generator, items: int, count: int) -> Cases:
    """Users 0, 1, … with up to 6 items of history and 1 to 5 targets each."""
    histories, targets, numbers = [], [], []
    for case in range(count):
        shuffled = generator.permutation(np.arange(2, items))
        size = generator.integers(0, 7)
        held_out = shuffled[size : size + generator.integers(1, 6)]
        histories.append(shuffled[:size])
        targets.append(held_out)
        numbers.append(np.full(len(held_out), case))
    return Cases(np.arange(count), tuple(histories), np.concatenate(targets), np.concatenate(numbers), None)
