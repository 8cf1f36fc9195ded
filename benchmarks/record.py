"""Writes what a benchmark found, and on what."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from preprocessing.schema import write_whole

LIBRARIES = ("tandem-recommender", "tensorflow", "numpy")
"""The packages that every benchmark runs."""


def write_record(path: Path, found: Mapping[str, Any], libraries: Sequence[str] = ()) -> None:
    """Writes what was found, with what somebody needs who wants to get the same numbers.

    Args:
      path: the JSON file, which is either whole or not there.
      found: plain values by name.
      libraries: the packages besides `LIBRARIES` that had a part in it.
    """
    record = {
        "command": shlex.join(sys.argv),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": _machine(),
        "libraries": {name: version(name) for name in (*LIBRARIES, *libraries)},
        **found,
    }
    write_whole(path, (json.dumps(record, indent=1) + "\n").encode())


def _machine() -> Mapping[str, str | int | float]:
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
