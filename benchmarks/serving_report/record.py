"""Writes the results with what somebody needs who wants to get the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.serving_report.results import Results

LIBRARIES = ("grpcio", "protobuf", "scann", "tensorflow-serving-api")


def write_record(path: Path, results: Results, settings: Mapping[str, Any]) -> None:
    """Writes a JSON file, which is either whole or not there.

    Args:
      path: of the file.
      results: what was found.
      settings: how it was measured.
    """
    found = {
        "settings": settings,
        **asdict(results),
        "goals": [asdict(goal) for goal in results.goals()],
    }
    record.write_record(path, found, LIBRARIES)
