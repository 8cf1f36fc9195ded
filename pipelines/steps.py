"""Tells whether a step has to be done again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipelines import __version__
from preprocessing.plan import Plan
from preprocessing.schema import Document, file_digest, write_whole


def key(*parts: str | Document) -> str:
    """One fingerprint of everything that goes into a step, this version of Tandem included."""
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        text = part.model_dump_json() if isinstance(part, Document) else part
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def states(plan: Plan) -> Iterator[str]:
    """The content of every file that preprocessing reads, as one line each.

    Files on this machine are read and hashed; of a remote one its name and size must do.
    """
    for source in plan.sources:
        for file in source.files:
            path = Path(file.path)
            yield f"{file.name} {file.size} {file_digest(path) if path.is_file() else ''}"
    if plan.language_model:
        for path in sorted(plan.language_model.path.iterdir()):
            if path.is_file():
                yield f"{path.name} {file_digest(path)}"


class Marker:
    """A file that says which key a step was last finished with."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, key: str) -> bool:
        """Whether the step was finished with this key."""
        return self._path.exists() and self._path.read_text(encoding="utf-8") == key

    def remove(self) -> None:
        """Forgets it, before the step is begun."""
        self._path.unlink(missing_ok=True)

    def write(self, key: str) -> None:
        """Remembers it, once the step's artifact is whole."""
        self._path.parent.mkdir(exist_ok=True)
        write_whole(self._path, key.encode())
