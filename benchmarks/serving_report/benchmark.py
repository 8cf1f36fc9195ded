"""The whole benchmark: measures what is asked for, then tells it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.serving_index.comparison import DIMENSION, QUERIES, IndexBenchmark
from benchmarks.serving_load.example_model import example_model
from benchmarks.serving_load.load import Effort, LoadBenchmark
from benchmarks.serving_load.swaps import SwapBenchmark
from benchmarks.serving_report.chart import draw
from benchmarks.serving_report.record import write_record
from benchmarks.serving_report.results import Results
from benchmarks.serving_report.tables import show
from preprocessing.schema import InputError
from serving.models import versions
from trainer.progress import Progress


class Benchmark:
    """A benchmark and its folder.

    Args:
      folder: it is made when it is not there.
      model: the folder above a Tandem model's versions; None makes a small one when it is needed.
      flags: more flags for the server.
      console: where progress and results are printed.

    Raises:
      InputError: there is no model.
    """

    def __init__(self, folder: Path, model: Path | None, flags: Sequence[str], console: Console) -> None:
        if model is not None and not (model.is_dir() and versions.find(str(model))):
            raise InputError(f"--model {model}: no folder of a model's versions; `tandem train` exports one")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._model = model
        self._flags = list(flags)
        self._console = console
        self._progress = Progress(console)
        self._results = Results()
        self._settings: dict[str, Any] = {"model": str(model or "a small example"), "flags": self._flags}

    def load(self, effort: Effort) -> None:
        """Measures latency and requests a second."""
        self._settings |= {"seconds": effort.seconds, "rounds": effort.rounds}
        folder = self._folder / "load"
        benchmark = LoadBenchmark(self._served(), folder, self._flags, self._progress)
        self._results.load = benchmark.measure(effort)

    def swaps(self, swaps: int, callers: int, calm_seconds: float) -> None:
        """Swaps versions under load."""
        folder = self._folder / "swaps"
        benchmark = SwapBenchmark(self._served(), folder, self._flags, self._progress)
        self._results.swaps = benchmark.measure(swaps, callers, calm_seconds)

    def index(self, sizes: Sequence[int], seconds: float) -> None:
        """Compares the indexes."""
        self._settings |= {"dimension": DIMENSION, "queries": QUERIES}
        self._results.index = IndexBenchmark(self._folder / "index", self._progress).measure(sizes, seconds)

    def report(self) -> Results:
        """Prints the tables and writes `serving.json` and `serving.png`."""
        show(self._results, self._console)
        record, chart = self._folder / "serving.json", self._folder / "serving.png"
        write_record(record, self._results, self._settings)
        draw(self._results, chart)
        self._console.print(f"written: {record}, {chart}", soft_wrap=True)
        return self._results

    def _served(self) -> Path:
        if self._model is None:
            self._model = example_model(self._folder / "example", self._console)
        return self._model
