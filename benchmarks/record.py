"""Writes what a benchmark found, and on what."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from benchmarks.kept import Kept
from benchmarks.models import Trained
from pipelines.config import RunConfig
from pipelines.evaluation.report import Report
from preprocessing.schema import write_whole

LIBRARIES = (
    "tandem-recommender",
    "tensorflow",
    "tensorflow-recommenders",
    "scann",
    "transformers",
    "numpy",
    "scipy",
    "implicit",
)


def write_record(
    path: Path,
    report: Report,
    configs: Sequence[RunConfig],
    trained: Sequence[Trained],
    kept: Sequence[Kept],
) -> None:
    """Writes the report with everything that somebody needs who wants to get the same numbers.

    Args:
      path: the JSON file, which is either whole or not there.
      report: what was found.
      configs: of the models.
      trained: the models, in the same order.
      kept: everybody who was judged.
    """
    record = {
        "command": shlex.join(sys.argv),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "models": {
            model.name: {
                "training_seconds": model.seconds,
                "training": asdict(model.result),
                "config": config.trainer.model_dump(mode="json", by_alias=True),
            }
            for model, config in zip(trained, configs, strict=True)
        },
        "data": configs[0].data.model_dump(mode="json"),
        "judging_seconds": {each.judged.name: each.seconds for each in kept},
        "report": asdict(report),
    }
    write_whole(path, (json.dumps(record, indent=1) + "\n").encode())


def machine() -> Mapping[str, str | int | float]:
    """The processor, how many cores this process may use, and the memory in GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": round(memory, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
