"""A metric with its interval, and the metrics of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.cases import Cases
from trainer.metrics import (
    bootstrap_interval,
    bootstrap_intervals,
    case_ndcg_at,
    case_recall_at,
    case_reciprocal_rank,
)

RANKING = ("Recall@10", "Recall@100", "NDCG@10", "MRR")
"""Of where the targets stand; slices have these too."""
LABELS = ("RMSE", "AUC")
"""Of the predicted labels; without labels, of clicks."""
LISTS = ("Coverage@10", "Gini@10", "Novelty@10", "Similarity@10")
"""Of what is shown, whatever it hits."""
INDEX = ("ANN recall@10", "ANN recall@100")
"""Of how much of an exact search the model's index finds."""
METRICS = (*RANKING, *LABELS, *LISTS, *INDEX)


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

    @classmethod
    def over_targets(cls, values: np.ndarray, cases: Cases) -> Metric:
        """The mean of one value a target, where a case's targets are drawn together."""
        counts = np.bincount(cases.case)
        means = np.bincount(cases.case, values) / counts
        return cls(float(np.average(means, weights=counts)), *bootstrap_interval(means, counts))

    def root(self) -> Metric:
        """The square root of all three."""
        low, high = (None if end is None else end**0.5 for end in (self.low, self.high))
        return Metric(self.value**0.5, low, high)

    @property
    def margin(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


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


def auc(wanted: np.ndarray, other: np.ndarray, cases: Cases) -> dict[str, Metric]:
    """How often a target `[T]` scores higher than the item it is compared with; ties count half."""
    return {"AUC": Metric.over_targets((wanted > other) + (wanted == other) / 2, cases)}


def label_error(predicted: np.ndarray, cases: Cases) -> dict[str, Metric]:
    """RMSE of the predicted labels `[T]`, each target counted once.

    Raises:
      ValueError: the cases have no labels.
    """
    if cases.label is None:
        raise ValueError("an error of labels needs labels")
    return {"RMSE": Metric.over_targets(np.square(predicted - cases.label), cases).root()}
