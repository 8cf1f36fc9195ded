"""What an evaluation found: JSON for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pydantic
from rich.console import Console

from pipelines.evaluation import tables
from pipelines.evaluation.measures import Metric
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.peers.peer import Settings, Trial
from preprocessing.schema import InputError, write_whole


@dataclass(frozen=True)
class Slice:
    """How many cases have a target in a slice, and how many targets it holds."""

    cases: int
    targets: int


@dataclass(frozen=True)
class Row:
    """A model or peer; a metric that it cannot have is missing.

    Attributes:
      metrics: over all targets, by name.
      slices: the ranking metrics of each slice of the targets.
      ahead: how far the report's first row is ahead of this one, by slice (`all` is one too) and
        metric, both judged by the same draws; empty for the first row itself.
      peer: whether it is a peer.
    """

    model: str
    metrics: Mapping[str, Metric]
    slices: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    ahead: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    peer: bool = False


@dataclass(frozen=True)
class Report:
    """The rows of the comparison.

    Attributes:
      part: which part of the split was judged.
      cases, targets: how many there are.
      choices: the settings that were chosen on the validation part, by peer.
      notes: what was left out, and why.
      slices: the size of each slice.
      trials: all settings that were tried, by peer.
      model: which version the first row is; None when nobody said.
    """

    name: str
    split: str
    part: str
    cases: int
    targets: int
    rows: tuple[Row, ...]
    choices: Mapping[str, Settings]
    notes: tuple[str, ...] = ()
    slices: Mapping[str, Slice] = field(default_factory=dict)
    trials: Mapping[str, tuple[Trial, ...]] = field(default_factory=dict)
    model: ModelVersion | None = None

    def write(self, path: Path) -> None:
        """Writes the report as JSON; the file is either whole or not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Report:
        """Reads what `write` wrote.

        Raises:
          InputError: the file cannot be read or holds no report.
        """
        try:
            return pydantic.TypeAdapter(cls).validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        except pydantic.ValidationError:
            raise InputError(f"{path}: holds no report of `tandem evaluate`") from None

    def print(self, console: Console) -> None:
        """Prints the tables, the best value of each column in bold, then the notes."""
        counts = f"{self.cases:,} cases, {self.targets:,} targets"
        console.print(f"{self.name}, {self.split} split, {self.part} part: {counts}", highlight=False)
        for table in tables.report_tables(self):
            console.print(table)
        console.print("± is half the width of the 95% bootstrap interval.", style="dim")
        for line in (*tables.leads(self), *self.notes):
            console.print(line, style="dim", markup=False, highlight=False)
