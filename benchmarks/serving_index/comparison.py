"""Compares the indexes with brute force at several sizes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving_index.vectors import catalogue, queries
from benchmarks.serving_load import processes
from benchmarks.serving_report.results import EXACT, PORTABLE, SCANN, IndexResult
from trainer.progress import Progress

DIMENSION = 64
QUERIES = 2048


class IndexBenchmark:
    """Builds and asks every kind of index, each time in a fresh process.

    Args:
      folder: for vectors, indexes and logs; what is large is deleted afterwards.
      progress: where to show how far it is.
      query_count: how many queries recall is measured by.
    """

    def __init__(self, folder: Path, progress: Progress, query_count: int = QUERIES) -> None:
        self._folder = folder
        self._progress = progress
        self._query_count = query_count
        self._vectors = folder / "vectors.npy"
        self._queries = folder / "queries.npy"
        self._found = folder / "found.npy"
        self._model = folder / "index"

    def measure(self, sizes: Sequence[int], seconds: float) -> list[IndexResult]:
        """Measures every kind at every size, asking so many seconds at most in each way."""
        self._folder.mkdir(parents=True, exist_ok=True)
        results = []
        with self._progress.bar("Building and asking indexes", 3 * len(sizes)) as advance:
            for size in sizes:
                vectors = catalogue(size, DIMENSION)
                np.save(self._vectors, vectors)
                np.save(self._queries, queries(vectors, self._query_count))
                del vectors
                results += self._compare(size, seconds, advance)
                for path in (self._vectors, self._queries, self._found):
                    path.unlink()
        return results

    def _compare(self, size: int, seconds: float, advance: Callable[[int], None]) -> list[IndexResult]:
        results: list[IndexResult] = []
        best = np.empty(0)
        for kind in (EXACT, SCANN, PORTABLE):
            build, asked = self._build(kind), self._ask(seconds)
            found = np.load(self._found)
            if kind == EXACT:
                best = found
            results.append(IndexResult(kind, size, recall(found, best), **build, **asked))
            advance(1)
        return results

    def _build(self, kind: str) -> dict[str, float]:
        shutil.rmtree(self._model, ignore_errors=True)
        arguments = [kind, str(self._vectors), str(self._model)]
        log = self._folder / "build.log"
        return json.loads(processes.run("benchmarks.serving_index.build", arguments, log))

    def _ask(self, seconds: float) -> dict[str, float]:
        arguments = [str(self._model), str(self._queries), str(self._found), f"--seconds={seconds}"]
        printed = processes.run("benchmarks.serving_index.ask", arguments, self._folder / "ask.log")
        shutil.rmtree(self._model)
        return json.loads(printed)


def recall(found: np.ndarray, best: np.ndarray) -> float:
    """The share of the best rows `[Q, K]` that was found `[Q, K]`."""
    return float((found[:, :, None] == best[:, None, :]).any(axis=1).mean())
