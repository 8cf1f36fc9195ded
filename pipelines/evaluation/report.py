"""What an evaluation found: JSON for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pydantic
from rich.console import Console

from pipelines.evaluation import tables
from pipelines.evaluation.calibration import Bin
from pipelines.evaluation.exposure import Exposure
from pipelines.evaluation.latency import Latency
from pipelines.evaluation.measures import RANKING, Metric
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.peers.peer import Settings, Trial
from pipelines.evaluation.people import Person
from preprocessing.schema import InputError, write_whole

BASELINE = "Baseline"
"""The row of the model that the first one is compared with case by case."""


@dataclass(frozen=True)
class Slice:
    """How many cases have a target in a slice, and how many targets it holds."""

    cases: int
    targets: int


@dataclass(frozen=True)
class Serving:
    """How well and how fast a model answers, whatever the answer is worth.

    Attributes:
      index: the share of an exact search that the model's index finds, by metric.
      users: how many cases that was measured by.
      latency: of single calls.
    """

    index: Mapping[str, Metric]
    users: int
    latency: Latency


@dataclass(frozen=True)
class Row:
    """A model or peer; a metric that it cannot have is missing.

    Attributes:
      metrics: over all targets, by name.
      slices: the metrics of ranking and labels of each slice of the targets.
      ahead: the report's first row less this one, by slice (`all` is one too) and metric, both judged by
        the same draws; empty for the first row itself.
      peer: whether it is a peer.
      calibration: of what a model predicts, from its lowest predictions to the highest.
    """

    model: str
    metrics: Mapping[str, Metric]
    slices: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    ahead: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    peer: bool = False
    calibration: tuple[Bin, ...] = ()

    @property
    def ranks(self) -> bool:
        """Whether it ranks items; user and item biases alone predict ratings and no more."""
        return RANKING[0] in self.metrics


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
      exposure: how popular the items are that are shown and wanted.
      model: which version the first row is; None when nobody said.
      baseline: likewise the row `Baseline`.
      serving: by row, of models.
      people: a few of the cases.
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
    exposure: Mapping[str, Exposure] = field(default_factory=dict)
    model: ModelVersion | None = None
    baseline: ModelVersion | None = None
    serving: Mapping[str, Serving] = field(default_factory=dict)
    people: tuple[Person, ...] = ()

    @property
    def baseline_row(self) -> Row | None:
        """The baseline's row, if there is one."""
        return next((row for row in self.rows if row.model == BASELINE and not row.peer), None)

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
        for line in (*tables.leads(self), *tables.serving(self), *self.notes):
            console.print(line, style="dim", markup=False, highlight=False)
