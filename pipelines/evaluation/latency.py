"""How long a single call takes, as the client sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from pipelines.evaluation.requests import Requests
from serving.predictor import Predictor

CALLS = 200
WARMING = 20
"""Calls before the clock starts; the first ones prepare the graph."""


@dataclass(frozen=True)
class Latency:
    """Percentiles of how long calls take, in milliseconds; a server's network is included.

    Attributes:
      calls: how many there were, one after the other.
    """

    calls: int
    p50: float
    p95: float
    p99: float


def latency(predictor: Predictor, requests: Requests, progress: Progress) -> Latency:
    """Times `serving_default` for one user at a time, over a sample of the cases."""
    asked = [requests.listing([case]) for case in requests.sample(CALLS)]
    for inputs in asked[:WARMING]:
        predictor.predict("serving_default", inputs)
    milliseconds = []
    for inputs in progress.track(asked, description="timing serving_default"):
        begun = time.perf_counter()
        predictor.predict("serving_default", inputs)
        milliseconds.append(1000 * (time.perf_counter() - begun))
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99]).tolist()
    return Latency(len(asked), p50, p95, p99)
