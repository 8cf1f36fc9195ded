"""Intervals of metrics, and leads of one model over another."""

import math

import numpy as np
import pytest

from pipelines.evaluation.measures import Metric, Samples


def test_the_interval_over_targets_draws_whole_cases() -> None:
    values, case = np.array([[1.0, 1.0, 1.0, 1.0, 6.0]]).T, np.array([3, 3, 3, 3, 7])
    (metric,) = Samples.of_targets("AUC", values, case).metrics()
    assert (metric.value, metric.low, metric.high) == pytest.approx((2.0, 1.0, 6.0))


def test_the_lead_in_rmse_is_of_the_roots_and_paired() -> None:
    generator = np.random.default_rng(0)
    errors = generator.random(300)
    samples = Samples.of_targets("RMSE", np.column_stack([errors, 4 * errors, errors]), np.arange(300))
    first, double, same = samples.metrics()
    assert first.value == pytest.approx(math.sqrt(errors.mean()))
    ahead = samples.leads()
    assert ahead[1].value == pytest.approx(first.value - double.value) == pytest.approx(-first.value)
    # Twice the root in every resample: the lead is as uncertain as the root itself, no more.
    assert (ahead[1].low, ahead[1].high) == pytest.approx((-first.high, -first.low))
    assert ahead[2] == Metric(0.0, 0.0, 0.0) and same == first
    assert ahead[1].certain and not ahead[2].certain
