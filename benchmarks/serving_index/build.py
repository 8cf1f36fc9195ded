"""Builds an index and saves it as a SavedModel: `python -m benchmarks.serving_index.build --help`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import typer
from rich.console import Console

from benchmarks.serving_index.memory import peak, resident
from benchmarks.serving_report.results import EXACT
from trainer.config import ExportConfig
from trainer.index import Index, build_index
from trainer.index.portable import ExactIndex
from trainer.progress import Progress
from trainer.tracing import graph

NEIGHBOURS = 10


class Searcher(tf.Module):
    """A model that answers nothing but the neighbours of queries."""

    def __init__(self, index: Index, dimension: int) -> None:
        super().__init__(name="searcher")
        self.index = index
        specification = tf.TensorSpec([None, dimension], tf.float32, name="query")
        self.search = graph(self._search, [specification])

    def _search(self, query: tf.Tensor) -> dict[str, tf.Tensor]:
        rows, scores = self.index.search(query, tf.constant(NEIGHBOURS))
        return {"row": rows, "score": scores}


def build(kind: str, vectors: Path, output: Path) -> None:
    """Builds an index as the exporter does, and prints seconds and memory as JSON.

    Args:
      kind: `exact` for brute force, else what `export.index` of a config may be.
      vectors: an `.npy` file.
      output: the folder of the SavedModel.
    """
    items = np.load(vectors)
    _start_tensorflow(items)
    before, begun = resident(), time.monotonic()
    index = _build(kind, items)
    seconds, most = time.monotonic() - begun, peak()
    model = Searcher(index, items.shape[1])
    tf.saved_model.save(model, str(output), signatures={"serving_default": model.search})
    print(json.dumps({"build_seconds": seconds, "build_peak": most - before}))


def _build(kind: str, items: np.ndarray) -> Index:
    if kind == EXACT:
        return ExactIndex(items)
    config = ExportConfig.model_validate({"index": kind})
    return build_index(items, config, Progress(Console(file=sys.stderr)))


def _start_tensorflow(items: np.ndarray) -> None:
    """Starts TensorFlow's threads, so that neither time nor memory of that counts as the index's."""
    tf.linalg.matmul(items[:100], items[:100], transpose_b=True)


if __name__ == "__main__":
    typer.run(build)
