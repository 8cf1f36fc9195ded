"""Asks a saved index as a server does: `python -m benchmarks.serving_index.ask --help`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer

from benchmarks.serving_index.memory import peak, resident
from serving.models.saved_model import LoadedModel

WARMUP_QUERIES = 20
BATCH = 64

Search = Callable[[np.ndarray], np.ndarray]


def ask(model: Path, queries: Path, output: Path, seconds: float = 5.0) -> None:
    """Asks one by one, then in batches, and prints latencies, queries a second and memory as JSON.

    Args:
      model: a SavedModel of `benchmarks.serving_index.build`.
      queries: an `.npy` file.
      output: an `.npy` file for the rows that were found.
      seconds: how long to ask in each of the two ways, if the queries do not end before.
    """
    wanted = np.load(queries)
    before = resident()
    loaded = LoadedModel(model)

    def search(batch: np.ndarray) -> np.ndarray:
        return loaded.predict("serving_default", {"query": batch}, ["row"])["row"]

    one_by_one = _timed(search, wanted, 1, seconds)
    batched = _timed(search, wanted, BATCH, seconds)
    memory = peak() - before
    np.save(output, np.concatenate([search(part) for part in _parts(wanted, BATCH)]))
    p50, p99 = np.percentile(one_by_one, (50, 99)) * 1000
    measured = {
        "p50": p50,
        "p99": p99,
        "per_second": 1 / np.mean(one_by_one),
        "batched_per_second": BATCH / np.mean(batched),
        "memory": memory,
    }
    print(json.dumps({name: float(value) for name, value in measured.items()}))


def _timed(search: Search, queries: np.ndarray, size: int, seconds: float) -> np.ndarray:
    """Seconds that each whole batch took, after a warm-up."""
    parts = [part for part in _parts(queries, size) if len(part) == size]
    for part in parts[: max(1, WARMUP_QUERIES // size)]:
        search(part)
    taken: list[float] = []
    end = time.monotonic() + seconds
    for part in parts:
        begun = time.monotonic()
        search(part)
        taken.append(time.monotonic() - begun)
        if time.monotonic() > end:
            break
    return np.array(taken)


def _parts(queries: np.ndarray, size: int) -> list[np.ndarray]:
    return [queries[begin : begin + size] for begin in range(0, len(queries), size)]


if __name__ == "__main__":
    typer.run(ask)
