"""Writes what was found, and on what."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import record
from benchmarks.models import Trained
from benchmarks.search_queries.queries import Query
from benchmarks.search_queries.report import Report
from pipelines.config import RunConfig
from preprocessing.schema import write_whole

LIBRARIES = ("scann", "transformers", "scipy", "bm25s")


def write_record(path: Path, report: Report, config: RunConfig, trained: Trained, seed: int) -> None:
    """Writes the report with everything that somebody needs who wants to get the same numbers.

    Args:
      path: the JSON file, which is either whole or not there.
      report: what was found.
      config: of the model.
      trained: the model.
      seed: of items and queries.
    """
    found = {
        "environment": {name: os.environ.get(name, "") for name in ("TF_ENABLE_ONEDNN_OPTS",)},
        "seed": seed,
        "training_seconds": trained.seconds,
        "training": asdict(trained.result),
        "config": config.trainer.model_dump(mode="json", by_alias=True),
        "data": config.data.model_dump(mode="json"),
        "report": asdict(report),
    }
    record.write_record(path, found, LIBRARIES)


def write_queries(path: Path, queries: Sequence[Query]) -> None:
    """Writes what is asked, one JSON object a line; the file is either whole or not there."""
    lines = (json.dumps(asdict(query), ensure_ascii=False) + "\n" for query in queries)
    write_whole(path, "".join(lines).encode())
