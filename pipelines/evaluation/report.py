"""What an evaluation found: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pydantic
from rich import box
from rich.console import Console
from rich.table import Table

from pipelines.evaluation.cases import Cases
from preprocessing.schema import InputError, write_whole
from trainer.metrics import (
    bootstrap_interval,
    case_ndcg_at,
    case_recall_at,
    case_reciprocal_rank,
)

SHOWN = ("Recall@10", "Recall@100", "NDCG@10", "RMSE", "AUC")
"""The columns of the table, as wide as a terminal; the JSON holds every metric."""


@dataclass(frozen=True)
class Metric:
    """A mean over cases with its 95% bootstrap interval."""

    value: float
    low: float
    high: float

    @classmethod
    def mean(cls, values: np.ndarray, weights: np.ndarray | None = None) -> Metric:
        """The mean of one value a case."""
        return cls(float(np.average(values, weights=weights)), *bootstrap_interval(values, weights))

    @classmethod
    def over_targets(cls, values: np.ndarray, cases: Cases) -> Metric:
        """The mean of one value a target, where a case's targets are drawn together."""
        counts = np.bincount(cases.case)
        return cls.mean(np.bincount(cases.case, values) / counts, counts)

    def root(self) -> Metric:
        """The square root of all three."""
        return Metric(self.value**0.5, self.low**0.5, self.high**0.5)


@dataclass(frozen=True)
class Row:
    """A model and its metrics by name; one that it cannot have is missing."""

    model: str
    metrics: Mapping[str, Metric]


@dataclass(frozen=True)
class Report:
    """The rows of the comparison.

    Attributes:
      part: which part of the split was judged.
      cases, targets: how many there are.
      choices: what was chosen on the validation part, for example the strength of EASE.
      notes: what was left out, and why.
    """

    name: str
    split: str
    part: str
    cases: int
    targets: int
    rows: tuple[Row, ...]
    choices: Mapping[str, float]
    notes: tuple[str, ...] = ()

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
        """Prints the table, the best value of each column in bold."""
        columns = [name for name in SHOWN if any(name in row.metrics for row in self.rows)]
        table = Table("Model", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
        best = {column: self._best(column) for column in columns}
        for row in self.rows:
            table.add_row(row.model, *(_cell(row.metrics.get(column), best[column]) for column in columns))
        counts = f"{self.cases:,} cases, {self.targets:,} targets"
        console.print(f"{self.name}, {self.split} split, {self.part} part: {counts}", highlight=False)
        console.print(table)
        console.print("± is half the width of the 95% bootstrap interval.", style="dim")
        for note in self.notes:
            console.print(note, style="dim")

    def _best(self, column: str) -> float:
        values = [row.metrics[column].value for row in self.rows if column in row.metrics]
        return min(values) if column == "RMSE" else max(values)


def ranking_metrics(ranks: np.ndarray, cases: Cases) -> dict[str, Metric]:
    """The metrics of a ranking from the ranks of the targets `[T]`; infinity is 'not found'."""
    return {
        "Recall@10": Metric.mean(case_recall_at(ranks, cases.case, 10)),
        "Recall@100": Metric.mean(case_recall_at(ranks, cases.case, 100)),
        "NDCG@10": Metric.mean(case_ndcg_at(ranks, cases.case, 10)),
        "MRR": Metric.mean(case_reciprocal_rank(ranks, cases.case)),
    }


def _cell(metric: Metric | None, best: float) -> str:
    if metric is None:
        return ""
    text = f"{metric.value:.4f} [dim]±{(metric.high - metric.low) / 2:.3f}[/dim]"
    return f"[bold]{text}[/bold]" if metric.value == best else text
