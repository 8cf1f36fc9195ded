"""What was found for queries."""

from __future__ import annotations

import numpy as np

K = 10
"""Items that are judged."""


def best(scores: np.ndarray) -> np.ndarray:
    """The places `[Q, K]` of the highest of scores `[Q, N]`, the highest first."""
    top = np.argpartition(-scores, min(K, scores.shape[1]) - 1, axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
    return np.take_along_axis(top, order, 1)
