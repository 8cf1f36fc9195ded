"""Which code a step runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from preprocessing.schema import file_digest

ROOMS = Path(__file__).parents[2]
"""The folder in which `preprocessing`, `trainer`, `serving` and `pipelines` stand."""


def code_version(modules: Sequence[str]) -> str:
    """SHA-256 over the names and the files of packages, with all that is below them, and modules.

    Raises:
      ValueError: there is no such package or module.
    """
    digest = hashlib.sha256()
    for module in modules:
        place = ROOMS.joinpath(*module.split("."))
        files = _files_below(place) if place.is_dir() else [place.with_suffix(".py")]
        if not files or not files[0].is_file():
            raise ValueError(f"{module}: no package or module of Tandem")
        for file in files:
            digest.update(f"{file.relative_to(ROOMS).as_posix()}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()


def _files_below(package: Path) -> list[Path]:
    """What stands beside the source counts too, such as a template; what Python made of it does not."""
    return sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
