"""How much of an exact search an index finds, of indexes that are known to miss something."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress

from pipelines.evaluation.cases import Cases
from pipelines.evaluation.index_recall import index_recall
from pipelines.evaluation.requests import Requests

ITEMS = 40
NAMES = np.array([b"", b"", *(f"i{index}".encode() for index in range(2, ITEMS))], object)
USERS = np.array([b"", b"", b"ann", b"bob"], object)


class Index:
    """Scores by a table `[N]`, and returns lists that were made up."""

    def __init__(self, scores: Sequence[float], lists: Mapping[bytes, Sequence[int]]) -> None:
        self.scores = {name: score for name, score in zip(NAMES, scores, strict=True) if name}
        self.lists = lists

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        if signature == "rank":
            return {"retrieved": np.vectorize(self.scores.__getitem__)(inputs["candidate_id"])}
        return {"item_id": NAMES[[self.lists[user] for user in inputs["user_id"]]]}


def found(index: Index, histories: Sequence[Sequence[int]]) -> dict[str, list[float]]:
    cases = Cases(
        user=np.array([2, 3]),
        history=tuple(np.array(history) for history in histories),
        target=np.array([30, 31]),
        case=np.array([0, 1]),
        label=None,
    )
    shares = index_recall(index, Requests(cases, NAMES, USERS), ITEMS, Progress(disable=True))
    return {name: values.tolist() for name, values in shares.items()}


def test_what_is_missed_is_counted() -> None:
    scores = [0.0, 0.0, *range(ITEMS - 2, 0, -1)]  # 2 is the best item, then 3, 4, …
    lists = {b"ann": [*range(3, 10), 20, 21, 22], b"bob": [2, *range(4, 13)]}
    # ann had 2, so 3 to 12 are hers to find; bob had 3.
    assert found(Index(scores, lists), [[2], [3]]) == {"ANN recall@10": [0.7, 1.0]}


def test_of_equals_any_will_do() -> None:
    lists = {b"ann": [*range(20, 30)], b"bob": [*range(4, 14)]}
    assert found(Index([0.5] * ITEMS, lists), [[2], [3]]) == {"ANN recall@10": [1.0, 1.0]}


def test_a_list_that_ends_early_missed_the_rest() -> None:
    scores = [0.0, 0.0, *range(ITEMS - 2, 0, -1)]
    lists = {b"ann": [3, 4, 5, 6, 7, 0, 0, 0, 0, 0], b"bob": [0] * 10}
    assert found(Index(scores, lists), [[2], [3]]) == {"ANN recall@10": [0.5, 0.0]}


def test_when_fewer_are_left_they_are_all() -> None:
    everything = list(range(2, ITEMS))
    lists = {b"ann": [2, 3, 4, *[0] * 97], b"bob": [2, 3, *[0] * 98]}
    # Three items are left for each, and with them both lists are as deep as can be.
    assert found(Index([1.0] * ITEMS, lists), [everything[3:], everything[3:]]) == {
        "ANN recall@10": [1.0, pytest.approx(2 / 3)],
        "ANN recall@100": [1.0, pytest.approx(2 / 3)],
    }


def test_who_has_everything_is_not_counted() -> None:
    lists = {b"ann": [0] * 10, b"bob": [*range(4, 14)]}
    assert found(Index([1.0] * ITEMS, lists), [list(range(2, ITEMS)), [3]]) == {"ANN recall@10": [1.0]}


@given(st.integers(0, 2**32 - 1))
def test_an_exact_index_finds_all(seed: int) -> None:
    scores = np.random.default_rng(seed).choice(20, ITEMS) / 7
    order = [int(item) for item in np.argsort(-scores, kind="stable") if item not in (0, 1, 5)]
    lists = {b"ann": order[:10], b"bob": order[:10]}
    assert found(Index(scores.tolist(), lists), [[5], [5]]) == {"ANN recall@10": [1.0, 1.0]}
