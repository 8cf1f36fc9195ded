"""Makes the examples of a benchmark, unless they are there."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks.configs import examples_key
from benchmarks.finished import Marker
from pipelines.config import RunConfig
from pipelines.statistics_table import show_statistics
from preprocessing.pipeline import preprocess
from preprocessing.schema import SCHEMA_FILE


def make_examples(config: RunConfig, name: str, folder: Path, console: Console, workers: int = 1) -> Path:
    """Preprocesses the tables of a config, unless that was done and nothing has changed.

    Args:
      config: its `data:` section counts.
      name: of the data set in the examples.
      folder: of the benchmark.
      console: for what there is to say.
      workers: processes.

    Returns:
      the examples, `examples/` in the benchmark's folder.
    """
    examples, marker = folder / "examples", Marker(folder / ".finished" / "preprocess")
    key = examples_key(config)
    if marker.holds(key) and (examples / SCHEMA_FILE).exists():
        console.print("examples: nothing has changed, reused")
        return examples
    marker.remove()
    with console.status("preprocessing") as status:
        preprocess(config.data, name, config.base, examples, workers, progress=status.update)
    show_statistics(examples, console)
    marker.write(key)
    return examples
