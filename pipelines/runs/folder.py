"""The folder of a run or a benchmark: one command at a time works in it, and leaves no scratch behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fasteners

from preprocessing.schema import InputError

LOCK_FILE = ".lock"
SCRATCH = ".scratch"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps other commands out of a folder, which is made if it is not there; what was killed loses its lock.

    Raises:
      InputError: another command is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = fasteners.InterProcessLock(folder / LOCK_FILE)
    if not lock.acquire(blocking=False):
        raise InputError(f"{folder}: another command is at work in this folder; choose another one")
    try:
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Removes what a killed run left half done; nobody else may be at work in the folder."""
    for pattern in (f"{SCRATCH}", ".*.partial", "*/.*.partial", "training/**/*_temp", "training/**/*.tmp*"):
        for leftover in folder.glob(pattern):
            remove(leftover)


def discard(folder: Path) -> None:
    """Deletes a folder; after a kill meanwhile it is gone too, and `sweep` removes the rest."""
    if folder.exists():
        scratch = folder.with_name(f".{folder.name}.discarded.partial")
        remove(scratch)
        folder.rename(scratch)
        remove(scratch)


def remove(path: Path) -> None:
    """Deletes a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_inside(folder: Path) -> Iterator[None]:
    """Has temporary files, also those of libraries and child processes, made in a folder of the run.

    So whoever comes after a kill knows where they are.
    """
    scratch = folder / SCRATCH
    scratch.mkdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"], tempfile.tempdir = str(scratch.resolve()), None
    try:
        yield
    finally:
        tempfile.tempdir = None
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        remove(scratch)
