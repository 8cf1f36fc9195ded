"""Tells whether a part of a benchmark has to be done again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipelines import __version__
from preprocessing.schema import Document, write_whole


def key(*parts: str | Document) -> str:
    """One fingerprint of everything that goes into it, this version of Tandem included."""
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        text = part.model_dump_json() if isinstance(part, Document) else part
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


class Marker:
    """A file that says which key something was last finished with."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, key: str) -> bool:
        """Whether it was finished with this key."""
        return self._path.exists() and self._path.read_text(encoding="utf-8") == key

    def remove(self) -> None:
        """Forgets it, before the work is begun."""
        self._path.unlink(missing_ok=True)

    def write(self, key: str) -> None:
        """Remembers it, once all is there."""
        self._path.parent.mkdir(exist_ok=True)
        write_whole(self._path, key.encode())
