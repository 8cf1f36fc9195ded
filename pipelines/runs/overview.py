"""What is told of a run in a list of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.evaluation.files import METRICS_FILE
from pipelines.runs.lineage import LINEAGE_FILE, Lineage
from preprocessing.schema import InputError


@dataclass(frozen=True)
class Overview:
    """A run as its folder tells it.

    Attributes:
      metrics: the values of the exported model by name; empty before an evaluation.
    """

    folder: Path
    lineage: Lineage
    metrics: Mapping[str, float]

    @classmethod
    def read(cls, folder: Path) -> Overview:
        """Reads a run folder.

        Raises:
          InputError: it is none.
        """
        lineage = Lineage.read(folder)
        if lineage is None:
            raise InputError(f"{folder}: no run folder: there is no {LINEAGE_FILE}")
        return cls(folder, lineage, _metrics(folder, lineage))

    @property
    def done(self) -> tuple[str, ...]:
        """The steps whose artifacts are there."""
        return tuple(
            name
            for name, record in self.lineage.steps.items()
            if record.artifact is not None and (self.folder / record.artifact).exists()
        )

    @property
    def begun(self) -> tuple[str, ...]:
        """The steps that are at work or were cut off."""
        return tuple(name for name, record in self.lineage.steps.items() if record.state == "begun")

    @property
    def date(self) -> str:
        """When the newest step was begun, in UTC, ISO 8601."""
        return max((record.started for record in self.lineage.steps.values()), default="")


def runs_below(folder: Path) -> list[Overview]:
    """The runs right below a folder, the newest first.

    Raises:
      InputError: no such folder, or a lineage that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `tandem run` makes runs/ where it is started")
    found = [Overview.read(path.parent) for path in folder.glob(f"*/{LINEAGE_FILE}")]
    return sorted(found, key=lambda run: (run.date, run.folder.name), reverse=True)


def _metrics(folder: Path, lineage: Lineage) -> dict[str, float]:
    record = lineage.steps.get("evaluate")
    if record is None or record.state != "done":
        return {}
    path = folder / "evaluation" / METRICS_FILE
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: metric["value"] for name, metric in report["rows"][0]["metrics"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, IndexError, TypeError):
        raise InputError(f"{path}: holds no report of an evaluation") from None
