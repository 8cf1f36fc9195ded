"""Which version of a model was judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preprocessing.schema import folder_digest
from serving.client import Client


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model, in a folder or on a server.

    Attributes:
      source: its folder, or `host:port/name` of the server and the model on it.
      number: of the version; None for a folder whose name is no number.
      digest: SHA-256 of all its files, as `preprocessing.schema.folder_digest` computes it; None for what
        is not on this machine.
    """

    source: str
    number: int | None = None
    digest: str | None = None

    @classmethod
    def of_folder(cls, folder: str) -> ModelVersion:
        """The version in the folder of a SavedModel."""
        path = Path(folder)
        number = int(path.name) if path.name.isdecimal() else None
        return cls(folder, number, folder_digest(path) if path.is_dir() else None)

    @classmethod
    def of_server(cls, client: Client, deadline_s: float) -> ModelVersion:
        """The newest version that a server serves, which answers those who ask for none.

        Args:
          client: of the server.
          deadline_s: how long to wait for a server and a version.

        Raises:
          ServingError: it serves none, or no answer came.
        """
        client.wait_until_ready(deadline_s)
        newest = max(version.number for version in client.versions() if version.state == "AVAILABLE")
        return cls(f"{client.target}/{client.model_name}", newest)
