"""Prints the results."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.serving_report.results import Goal, IndexResult, LoadResult, Results, SwapResult


def show(results: Results, console: Console) -> None:
    """Prints a table of whatever was measured, and which goals were reached."""
    if results.load:
        console.print(_load(results.load))
    if results.swaps:
        console.print(_swaps(results.swaps))
    if results.index:
        console.print(_index(results.index))
    if goals := results.goals():
        console.print(_goals(goals))


def _load(results: Sequence[LoadResult]) -> Table:
    table = _table(
        "recommend, batch 1: ms, calls/s, and both to the echo's",
        ("target × callers",),
        ("p90", "p99", "p50", "× echo", "calls/s", "× echo", "failed"),
    )
    for each in results:
        latencies = each.latencies
        table.add_row(
            f"{each.target} × {each.callers}",
            *map(_short, (latencies.p90, latencies.p99, latencies.p50)),
            f"{each.p50_to_echo:.2f}",
            f"{latencies.per_second:,.0f}",
            f"{each.rate_to_echo:.2f}",
            str(latencies.failures),
        )
    return table


def _swaps(result: SwapResult) -> Table:
    table = _table(
        f"{len(result.seconds)} swaps under {result.callers} callers",
        ("when",),
        ("p50 ms", "p99 ms", "calls/s", "failed"),
    )
    for name, each in (("calm", result.calm), ("swapping", result.swapping)):
        table.add_row(name, _short(each.p50), _short(each.p99), f"{each.per_second:,.0f}", str(each.failures))
    return table


def _index(results: Sequence[IndexResult]) -> Table:
    table = _table(
        "indexes: ms, queries/s (batched too), s and MiB to build, MiB to serve",
        ("items", "kind"),
        ("recall", "p50", "p99", "q/s", "batched", "s", "MiB", "MiB"),
    )
    for each in results:
        table.add_row(
            f"{each.size:,}",
            each.kind,
            f"{each.recall:.4f}",
            _short(each.p50),
            _short(each.p99),
            f"{each.per_second:,.0f}",
            f"{each.batched_per_second:,.0f}",
            _short(each.build_seconds),
            f"{each.build_peak:,.0f}",
            f"{each.memory:,.0f}",
        )
    return table


def _goals(goals: Sequence[Goal]) -> Table:
    table = _table("goals", ("goal",), ("is", "wanted", "reached"))
    for goal in goals:
        table.add_row(goal.name, _short(goal.value), goal.limit, "yes" if goal.reached else "[bold]no")
    return table


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _short(number: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
