"""Prints a report."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.search_queries.report import INTERESTS, NEGATED, PRECISION, RECALL, Report
from pipelines.evaluation.measures import Metric

COLUMNS = {
    RECALL: "all",
    **{name: str(count) for count, name in INTERESTS.items()},
    PRECISION: "asked",
    NEGATED: "negated",
}


def show(report: Report, console: Console) -> None:
    """Prints how well everybody finds, the differences, and how long a call takes."""
    kinds = ", ".join(f"{number:,} of {count}" for count, number in report.queries.items())
    table = _table(
        f"{report.name}: {sum(report.queries.values()):,} queries (interests: {kinds}; "
        f"{report.negations:,} with a negation), {report.held_out:,} of {report.items:,} items held out\n"
        "in %, ± 95%: Recall@10 by interests; share of the top 10 with the asked and the negated attribute",
        tuple(COLUMNS.values()),
    )
    for row in report.rows:
        table.add_row(row.name, *_cells(row.metrics, tuple(COLUMNS), ""))
    console.print(table)
    first = report.rows[0].name
    recalls = (RECALL, *INTERESTS.values())
    table = _table(f"Recall@10: {first} minus the other, on the same queries, in %", ("all", "1", "2", "3"))
    for name, metrics in report.differences.items():
        table.add_row(name, *_cells(metrics, recalls, "+"))
    console.print(table)
    latency = report.latency
    console.print(f"a call: p50 {latency.p50:.1f} ms, p95 {latency.p95:.1f} ms ({latency.calls:,} calls)")


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("who")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _cells(metrics: Mapping[str, Metric], names: tuple[str, ...], sign: str) -> list[str]:
    return [_cell(metrics[name], sign) if name in metrics else "-" for name in names]


def _cell(metric: Metric, sign: str) -> str:
    margin = "" if metric.margin is None else f"±{metric.margin * 100:.1f}"
    return f"{metric.value * 100:{sign}.1f}{margin}"
