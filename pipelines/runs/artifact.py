"""What a step leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """The file or folder that a step made.

    Attributes:
      path: where it stands.
      digest: of its content; a step that reads it is done again when this changes.
    """

    path: Path
    digest: str
