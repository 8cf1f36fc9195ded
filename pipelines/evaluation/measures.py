"""A metric with its interval, and the metrics of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trainer.metrics import (
    bootstrap_intervals,
    case_ndcg_at,
    case_recall_at,
    case_reciprocal_rank,
    percentile_intervals,
    resampled_means,
)

RANKING = ("Recall@10", "Recall@100", "NDCG@10", "MRR")
"""Of where the targets stand; slices have these too."""
LABELS = ("RMSE", "AUC")
"""Of the predicted labels; without labels, of clicks."""
LISTS = ("Coverage@10", "Gini@10", "Novelty@10", "Similarity@10")
"""Of what is shown, whatever it hits."""
METRICS = (*RANKING, *LABELS, *LISTS)
"""All that models and peers are judged by alike."""
INDEX = ("ANN recall@10", "ANN recall@100")
"""Of how much of an exact search the model's index finds."""


@dataclass(frozen=True)
class Metric:
    """A number with its 95% bootstrap interval over cases.

    Coverage and Gini have none: a resample holds fewer different people than the sample, so it covers
    less, and the interval would lie beside the value.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def means(cls, values: Mapping[str, np.ndarray]) -> dict[str, Metric]:
        """The means of several values a case `[C]`, judged by the same draws."""
        columns = np.column_stack(list(values.values()))
        intervals = bootstrap_intervals(columns).tolist()
        means = columns.mean(axis=0).tolist()
        return {
            name: cls(mean, low, high)
            for name, mean, (low, high) in zip(values, means, intervals, strict=True)
        }

    @property
    def margin(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def certain(self) -> bool:
        """Whether the interval excludes 0, which for a difference says that it is no matter of luck."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def ranking_values(ranks: np.ndarray, case: np.ndarray) -> dict[str, np.ndarray]:
    """Each ranking metric of each case `[C]`.

    Args:
      ranks: `[T]`, infinity for a target that was not found.
      case: `[T]`, the number of the case it belongs to, from 0.
    """
    return {
        "Recall@10": case_recall_at(ranks, case, 10),
        "Recall@100": case_recall_at(ranks, case, 100),
        "NDCG@10": case_ndcg_at(ranks, case, 10),
        "MRR": case_reciprocal_rank(ranks, case),
    }


@dataclass(frozen=True)
class Samples:
    """One metric of several models over the same cases, and over the same bootstrap resamples of them.

    Attributes:
      values: `[M]`, of each model.
      resampled: `[R, M]`.
    """

    values: np.ndarray
    resampled: np.ndarray

    @classmethod
    def of_cases(cls, values: Mapping[str, np.ndarray]) -> dict[str, Samples]:
        """The mean of each metric, which has one value a case and model `[C, M]`."""
        columns = np.hstack(list(values.values()))
        means, resampled = columns.mean(axis=0), resampled_means(columns)
        models = columns.shape[1] // len(values)
        return {
            name: cls(means[begin : begin + models], resampled[:, begin : begin + models])
            for name, begin in zip(values, range(0, columns.shape[1], models), strict=True)
        }

    @classmethod
    def of_targets(cls, metric: str, values: np.ndarray, case: np.ndarray) -> Samples:
        """A metric that has one value a target; a case's targets are drawn together.

        Args:
          metric: `RMSE` is the root of the mean of squared errors, any other the mean.
          values: `[T, M]`.
          case: `[T]`, which case a target belongs to.
        """
        _, case, counts = np.unique(case, return_inverse=True, return_counts=True)
        means = np.column_stack([np.bincount(case, column) for column in values.T]) / counts[:, None]
        finish = np.sqrt if metric == "RMSE" else np.positive
        return cls(finish(np.average(means, axis=0, weights=counts)), finish(resampled_means(means, counts)))

    def metrics(self) -> list[Metric]:
        """The metric of each model."""
        return _metrics(self.values, self.resampled)

    def leads(self) -> list[Metric]:
        """The first model's value less that of each, a paired comparison."""
        return _metrics(self.values[0] - self.values, self.resampled[:, :1] - self.resampled)


def wins(wanted: np.ndarray, other: np.ndarray) -> np.ndarray:
    """1 where a target `[T]` scores higher than the item it is compared with, a half where it ties."""
    return (wanted > other) + (wanted == other) / 2


def _metrics(values: np.ndarray, resampled: np.ndarray) -> list[Metric]:
    intervals = percentile_intervals(resampled).tolist()
    return [Metric(value, low, high) for value, (low, high) in zip(values.tolist(), intervals, strict=True)]
