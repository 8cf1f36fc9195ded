"""Bins of predictions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluation.calibration import calibration


def test_bins_go_from_low_to_high_and_are_equally_large() -> None:
    predicted = np.array([0.9, 0.1, 0.5, 0.3] * 5)
    bins = calibration(predicted, predicted + 1, np.arange(20))
    assert [each.count for each in bins] == [2] * 10
    assert [each.predicted for each in bins] == pytest.approx(
        [0.1, 0.1, 0.2, 0.3, 0.3, 0.5, 0.5, 0.7, 0.9, 0.9]
    )
    for each in bins:
        assert each.observed.value == pytest.approx(each.predicted + 1)


def test_a_case_is_drawn_as_a_whole() -> None:
    (only,) = calibration(np.array([0.5]), np.array([1.0]), np.array([3]))
    assert (only.observed.value, only.observed.low, only.observed.high) == (1, 1, 1)
    # All of each bin belong to one case, so nothing varies though the observations do.
    bins = calibration(np.arange(20) / 20, np.tile([0.0, 1.0], 10), np.zeros(20, int))
    assert {(each.observed.value, each.observed.low, each.observed.high) for each in bins} == {
        (0.5, 0.5, 0.5)
    }


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_nothing_is_lost(predicted: list[float]) -> None:
    values = np.array(predicted)
    bins = calibration(values, values, np.arange(len(values)))
    assert sum(each.count for each in bins) == len(values)
    total = sum(each.count * each.observed.value for each in bins)
    assert total == pytest.approx(values.sum(), abs=1e-9)
