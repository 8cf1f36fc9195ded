"""`lineage.json`: how each artifact of a run folder came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pipelines.runs.record import Record
from preprocessing.schema import Document, InputError, parse, write_whole

LINEAGE_FILE = "lineage.json"


class Lineage(Document):
    """The newest record of each step.

    Attributes:
      name: of the data set.
      steps: by name, in the order in which they were done.
    """

    format: Literal[1] = 1
    name: str
    steps: dict[str, Record]

    @classmethod
    def read(cls, folder: Path) -> Lineage | None:
        """Reads the lineage of a run folder; None when there is none.

        Raises:
          InputError: it is damaged, or of another version of Tandem.
        """
        path = folder / LINEAGE_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON: {error}; delete it to do every step again") from None
        try:
            return parse(cls, values, str(path))
        except InputError as error:
            raise InputError(f"{error}\n{path}: delete it to do every step again") from None

    def with_record(self, step: str, record: Record) -> Lineage:
        """The same with another record of a step, which comes last."""
        others = {name: each for name, each in self.steps.items() if name != step}
        return self.model_copy(update={"steps": {**others, step: record}})

    def write(self, folder: Path) -> None:
        """Writes it whole."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_whole(folder / LINEAGE_FILE, (text + "\n").encode())

    @property
    def config(self) -> dict[str, Any]:
        """All parts of the config that the steps have read, by dotted key down to single values."""
        leaves: dict[str, Any] = {}
        for record in self.steps.values():
            for key, value in record.config.items():
                leaves |= _leaves(key, value)
        return leaves


def _leaves(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {key: value}
    leaves: dict[str, Any] = {}
    for name, below in value.items():
        leaves |= _leaves(f"{key}.{name}", below)
    return leaves
