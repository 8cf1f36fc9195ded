"""What is read of a split: the interactions before a part, and the part's cases."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluation.cases import Interactions, read_cases, read_interactions, with_validation
from preprocessing.schema import InputError, Schema
from tests.pipelines.small_split import write_examples


def test_windows_join_into_histories_whatever_their_order(examples: Path) -> None:
    interactions = read_interactions(examples, Schema.read(examples))
    assert interactions.user.tolist() == [2, 2, 2, 2, 3, 3]
    assert interactions.item.tolist() == [2, 3, 4, 5, 2, 4]
    assert interactions.label is not None
    assert interactions.label.tolist() == [1, 5, 3, 4, 2, 4]
    assert interactions.time is not None
    assert interactions.time.tolist() == [1, 2, 3, 4, 1, 2]


def test_validation_interactions_come_behind_the_training_ones(examples: Path) -> None:
    schema = Schema.read(examples)
    everything = with_validation(read_interactions(examples, schema), examples, schema)
    assert everything.user.tolist() == [2, 2, 2, 2, 2, 3, 3]
    assert everything.item.tolist() == [2, 3, 4, 5, 6, 2, 4]
    assert everything.label is not None
    assert everything.label.tolist() == [1, 5, 3, 4, 2, 2, 4]
    assert everything.time is not None
    assert everything.time.tolist() == [1, 2, 3, 4, 5, 1, 2]


def test_what_somebody_had_twice_is_one_in_the_matrix() -> None:
    twice = Interactions(np.array([2, 2, 2, 3]), np.array([3, 2, 3, 2]), None)
    expected = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]]
    np.testing.assert_array_equal(twice.matrix(4, 4).toarray(), expected)
    assert twice.item_counts(4).tolist() == [0, 0, 2, 2]


def test_cases_hold_each_target_once_with_its_newest_label(examples: Path) -> None:
    cases = read_cases(examples, Schema.read(examples), "test")
    assert cases.user.tolist() == [2, 3, 4]
    assert [history.tolist() for history in cases.history] == [[2, 3, 4, 5, 6], [2, 4], []]
    assert cases.target.tolist() == [7, 3, 6, 2]
    assert cases.case.tolist() == [0, 1, 1, 2]
    assert cases.label is not None
    assert cases.label.tolist() == [5, 2, 4, 3]
    assert list(cases.batches(2)) == [(slice(0, 2), slice(0, 3)), (slice(2, 3), slice(3, 4))]


def test_an_empty_part_is_refused(tmp_path: Path) -> None:
    schema = write_examples(tmp_path / "empty", test=[])
    with pytest.raises(InputError, match="the test part holds nothing new to its users"):
        read_cases(tmp_path / "empty", schema, "test")
