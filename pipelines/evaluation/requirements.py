"""What a model must reach to be shipped, and the blessing of one that does."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydantic
from rich.console import Console
from rich.markup import escape

from pipelines.evaluation.files import BLESSING_FILE
from pipelines.evaluation.measures import INDEX, LABELS, METRICS, RANKING
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.report import Report
from pipelines.evaluation.slices import ALL, SLICES
from preprocessing.schema import Document, InputError, write_whole

JUDGED = (*METRICS, *INDEX)
SLICED = (*RANKING, *LABELS)
COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
FORM = re.compile(r"\s*([^\[\]<>=]+?)\s*(?:\[([^\[\]]*)\])?\s*([<>]=?)\s*([^\s<>=]+)\s*")
EXAMPLES = '"ndcg@10>=0.1" or "ndcg@10[unseen]>0"'


@dataclass(frozen=True)
class Requirement:
    """A bound on one metric of a model, over all targets or over a slice of them.

    Attributes:
      text: as it was written.
      metric: its name in a report.
      part: the slice's name in a report, or `all`.
      comparison: `>=`, `>`, `<=` or `<`.
      bound: the number on its right.
    """

    text: str
    metric: str
    part: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Reads a requirement: a metric, possibly a slice in brackets, a comparison and a number.

        Capitals do not matter, and neither do ` items` and ` users` at the end of a slice's name.

        Raises:
          InputError: it is none, or no report has such a metric or slice.
        """
        match = FORM.fullmatch(text)
        if match is None:
            raise InputError(
                f"requirement {text!r}: expected a metric, possibly a slice in brackets, one of "
                f"{', '.join(COMPARISONS)} and a number, such as {EXAMPLES}"
            )
        name, part, comparison, number = match.groups()
        metric = _find(name, JUDGED, text, "metric")
        if part is not None and metric not in SLICED:
            raise InputError(f"requirement {text!r}: slices have {', '.join(SLICED)} alone, not {metric}")
        return cls(
            text=text,
            metric=metric,
            part=ALL if part is None else _find(part, SLICES, text, "slice"),
            comparison=comparison,
            bound=_number(number, text),
        )

    def check(self, labelled: bool) -> None:
        """Checks that models of such data are judged by the metric.

        Args:
          labelled: whether the interactions have a label.

        Raises:
          InputError: they are judged by the other one of `LABELS`.
        """
        used, other = LABELS if labelled else LABELS[::-1]
        if self.metric == other:
            column = "a" if labelled else "no"
            raise InputError(
                f"requirement {self.text!r}: the interactions have {column} column of kind label, so models "
                f"are judged by {used} and not by {other}"
            )

    def judge(self, report: Report) -> Finding:
        """Compares the report's first row with the bound.

        Raises:
          InputError: the report does not have the metric or the slice.
        """
        row = report.rows[0]
        index = report.serving[row.model].index if row.model in report.serving else {}
        parts = {ALL: {**row.metrics, **index}, **row.slices}
        if self.part not in parts:
            raise InputError(
                f"requirement {self.text!r}: the {report.part} part holds no target of the slice "
                f"{self.part!r}; there are {_listed(row.slices)}"
            )
        metrics = parts[self.part]
        if self.metric not in metrics:
            raise InputError(
                f"requirement {self.text!r}: {row.model} was not judged by {self.metric} here, but by "
                f"{', '.join(metrics)}"
            )
        value = metrics[self.metric].value
        return Finding(
            requirement=self.text, value=value, holds=COMPARISONS[self.comparison](value, self.bound)
        )


class Finding(Document):
    """What came of a requirement.

    Attributes:
      requirement: as it was written.
      value: of the metric.
      holds: whether the model reaches what is required.
    """

    requirement: str
    value: float
    holds: bool


class Blessing(Document):
    """Whether a model holds all that is required of it.

    Attributes:
      blessed: it does; also when nothing is required.
      model: which version was judged; None when nobody said.
      data, part: what it was judged by: the examples' name, and which part of them.
      findings: one for each requirement, in their order.
    """

    blessed: bool
    model: ModelVersion | None
    data: str
    part: str
    findings: tuple[Finding, ...]

    def write(self, folder: Path) -> None:
        """Writes `blessing.json` into the folder; the file is either whole or not there."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / BLESSING_FILE, (self.model_dump_json(indent=1) + "\n").encode())

    def print(self, console: Console) -> None:
        """Prints a line for each requirement, then whether the model is blessed; nothing without any."""
        for finding in self.findings:
            mark = "[green]holds[/green]" if finding.holds else "[red]does not hold[/red]"
            console.print(f"{escape(finding.requirement)}: {finding.value:.4f}, {mark}", highlight=False)
        if self.findings:
            console.print("[bold green]blessed" if self.blessed else "[bold red]not blessed")

    @classmethod
    def read(cls, folder: Path) -> Blessing:
        """Reads what `write` wrote.

        Raises:
          InputError: there is no such file, or it holds no blessing.
        """
        path = folder / BLESSING_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        except pydantic.ValidationError:
            raise InputError(f"{path}: holds no blessing of `tandem evaluate`") from None


def bless(report: Report, requirements: Sequence[Requirement]) -> Blessing:
    """Judges the report's first row by the requirements.

    Raises:
      InputError: the report does not have what one of them asks for.
    """
    findings = tuple(requirement.judge(report) for requirement in requirements)
    return Blessing(
        blessed=all(finding.holds for finding in findings),
        model=report.model,
        data=report.name,
        part=report.part,
        findings=findings,
    )


def _find(name: str, known: Sequence[str], text: str, what: str) -> str:
    """The known name that is meant."""
    asked = name.strip().casefold()
    for each in known:
        if asked in {each.casefold(), each.removesuffix(" items"), each.removesuffix(" users")}:
            return each
    raise InputError(f"requirement {text!r}: no {what} {name.strip()!r}; there are {_listed(known)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))  # since some hold commas


def _number(written: str, text: str) -> float:
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"requirement {text!r}: {written!r} is no number")
    return number
