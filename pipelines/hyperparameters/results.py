"""What came of the trials, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table

from pipelines.hyperparameters.space import Point
from pipelines.hyperparameters.study import BEGUN, REASON
from preprocessing.schema import write_whole

TABLE_FILE = "trials.csv"
SHOWN = 20

COMPLETE = "complete"
GIVEN_UP = "given up"
OUTCOMES = {
    TrialState.COMPLETE: COMPLETE,
    TrialState.PRUNED: GIVEN_UP,
    TrialState.RUNNING: "running",
    TrialState.FAIL: "killed",
}


@dataclass(frozen=True)
class Result:
    """What came of one trial.

    Attributes:
      name: the number of the trial; one that was killed and begun again keeps it.
      outcome: one of `OUTCOMES`.
      value: the metric at the best epoch; None when no epoch was finished.
      curve: the metric after each epoch, by the epoch's number from 1.
      seconds: from begin to end; None while it runs, and of what was killed.
      point: what was tried.
      reason: why it was given up.
    """

    name: str
    outcome: str
    value: float | None
    curve: Mapping[int, float]
    seconds: float | None
    point: Point
    reason: str

    @classmethod
    def of(cls, trial: FrozenTrial) -> Result:
        """Reads Optuna's trial, which must have been begun."""
        curve = {epoch + 1: value for epoch, value in sorted(trial.intermediate_values.items())}
        # Optuna takes the last epoch for the value of a trial that was given up.
        best = trial.value if trial.state == TrialState.COMPLETE else max(curve.values(), default=None)
        told = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        return cls(
            name=trial.user_attrs.get(BEGUN, str(trial.number)),
            outcome=OUTCOMES[trial.state],
            value=best,
            curve=curve,
            seconds=trial.duration.total_seconds() if told and trial.duration else None,
            point=trial.params,
            reason=trial.user_attrs.get(REASON, ""),
        )


def results_of(trials: Iterable[FrozenTrial]) -> list[Result]:
    """Everything that was begun, in that order; of a trial that was begun again, the newest attempt."""
    begun = [Result.of(trial) for trial in trials if trial.state in OUTCOMES]
    return list({result.name: result for result in begun}.values())


def best_of(results: Iterable[Result]) -> Result | None:
    """The best of those that were trained to their end, of equals the first."""
    complete = [result for result in results if result.outcome == COMPLETE]
    return max(complete, key=_value, default=None)


def write_table(folder: Path, results: Sequence[Result], keys: Iterable[str], metric: str) -> None:
    """Writes `trials.csv`, a row a trial."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["trial", "outcome", metric, "epochs", "seconds", *keys, "reason"])
    for each in results:
        value = "" if each.value is None else f"{each.value:.6f}"
        seconds = "" if each.seconds is None else f"{each.seconds:.1f}"
        point = [each.point.get(key) for key in keys]
        writer.writerow(
            [each.name, each.outcome, value, max(each.curve, default=0), seconds, *point, each.reason]
        )
    write_whole(folder / TABLE_FILE, stream.getvalue().encode())


def show_table(results: Iterable[Result], keys: Iterable[str], metric: str, console: Console) -> None:
    """Prints the best trials, the best one first."""
    table = Table("trial", "outcome", metric, "epochs", *keys)
    for each in sorted(results, key=_value, reverse=True)[:SHOWN]:
        value = "" if each.value is None else f"{each.value:.4f}"
        point = [_short(each.point.get(key)) for key in keys]
        table.add_row(each.name, each.outcome, value, str(max(each.curve, default=0)), *point)
    console.print(table)


def _value(result: Result) -> float:
    return -1.0 if result.value is None else result.value


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
