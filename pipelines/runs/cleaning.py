"""Removes what old runs keep on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fasteners

from pipelines.runs.folder import LOCK_FILE, SCRATCH, remove
from pipelines.runs.overview import Overview

LARGE = ("examples", "training", "model", SCRATCH)
"""What `tandem run` can make again. What was served stays, and so do lineage, evaluation and answers."""


@dataclass(frozen=True)
class Removable:
    """What can be removed of a run.

    Attributes:
      paths: files and folders.
      size: of all of them, in bytes.
    """

    run: Path
    paths: tuple[Path, ...]
    size: int


def removable(runs: list[Overview], keep: int) -> list[Removable]:
    """What all but the `keep` first runs could do without; runs that hold nothing of it are left out."""
    found = []
    for run in runs[keep:]:
        paths = tuple(_large(run.folder))
        if paths:
            found.append(Removable(run.folder, paths, sum(map(_size, paths))))
    return found


def clean(old: Removable) -> bool:
    """Removes it, unless a command is at work in the run; says whether it was removed."""
    lock = fasteners.InterProcessLock(old.run / LOCK_FILE)
    if not lock.acquire(blocking=False):
        return False
    try:
        for path in old.paths:
            remove(path)
    finally:
        lock.release()
    return True


def _large(run: Path) -> Iterator[Path]:
    for name in LARGE:
        if (run / name).exists():
            yield run / name
    yield from run.glob(".*.partial")
    yield from run.glob(".*.replaced")


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files)
