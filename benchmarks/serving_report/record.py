"""Writes the results with what somebody needs who wants to get the same numbers."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.record import machine
from benchmarks.serving_report.results import Results
from preprocessing.schema import write_whole

LIBRARIES = ("grpcio", "numpy", "protobuf", "scann", "tensorflow", "tensorflow-serving-api")


def write_record(path: Path, results: Results, settings: Mapping[str, Any]) -> None:
    """Writes a JSON file, which is either whole or not there.

    Args:
      path: of the file.
      results: what was found.
      settings: how it was measured.
    """
    record = {
        "command": shlex.join(sys.argv),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "settings": settings,
        **asdict(results),
        "goals": [asdict(goal) for goal in results.goals()],
    }
    write_whole(path, (json.dumps(record, indent=1) + "\n").encode())
