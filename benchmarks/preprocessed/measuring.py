"""Runs a command in a process of its own and measures it with everything that it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from preprocessing.schema import InputError

LOOK_SECONDS = 0.5
SHOWN_CHARACTERS = 2000


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
      seconds: on the clock, from its start to its end.
      peak_bytes: the most memory that it and its children held at a time, pages that they share counted once
        (PSS); looked at twice a second.
    """

    seconds: float
    peak_bytes: int


def measure(command: Sequence[str], folder: Path, log: Path) -> Measured:
    """Runs a command in a folder to its end.

    Raises:
      InputError: it failed; with the end of its log.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with log.open("w", encoding="utf-8") as stream:
        began = time.monotonic()
        process = subprocess.Popen(
            list(command), cwd=folder, stdout=stream, stderr=subprocess.STDOUT, env=environment
        )
        try:
            peak = _watch(process)
        finally:
            process.kill()  # if this was interrupted; a process that has ended is not touched
            process.wait()
        seconds = time.monotonic() - began
    if process.returncode:
        end = log.read_text(encoding="utf-8", errors="replace")[-SHOWN_CHARACTERS:]
        raise InputError(f"{command[0]} ended with status {process.returncode}; the end of {log}:\n{end}")
    return Measured(seconds, peak)


def _watch(process: subprocess.Popen[bytes]) -> int:
    root, peak = psutil.Process(process.pid), 0
    while True:
        peak = max(peak, _memory(root))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
            return peak


def _memory(root: psutil.Process) -> int:
    """The bytes of a process and its children; those that just ended hold none."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += each.memory_full_info().pss
    return total
