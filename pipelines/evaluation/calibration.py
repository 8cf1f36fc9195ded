"""Whether predictions are right on average: what was predicted beside what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.measures import Metric, Samples

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Predictions of about one height.

    Attributes:
      predicted: their mean.
      observed: the mean label; without labels, the share that was a target and no drawn item.
      count: how many they are.
    """

    predicted: float
    observed: Metric
    count: int


def calibration(predicted: np.ndarray, observed: np.ndarray, case: np.ndarray) -> tuple[Bin, ...]:
    """Cuts predictions into up to ten equally large bins, from the lowest to the highest.

    Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised learning", ICML 2005.

    Args:
      predicted: `[P]`.
      observed: `[P]`.
      case: `[P]`, which case each belongs to; a case's are drawn together for the interval.
    """
    order = np.argsort(predicted, kind="stable")
    return tuple(
        Bin(
            predicted=float(predicted[held].mean()),
            observed=Samples.of_targets("mean", observed[held][:, None], case[held]).metrics()[0],
            count=len(held),
        )
        for held in np.array_split(order, min(BINS, len(order)))
    )
