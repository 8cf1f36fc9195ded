"""Tables of a report, each as wide as a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from pipelines.evaluation.measures import LABELS, LISTS, Metric
from pipelines.evaluation.slices import ALL, ITEM_SLICES, SLICES, USER_SLICES, WITH_HISTORY

if TYPE_CHECKING:
    from pipelines.evaluation.report import Report, Row

ACCURACY = ("Recall@10", "Recall@100", "NDCG@10", "RMSE", "AUC")
SLICED = "Recall@10"
"""The metric of the slices that is printed; the JSON holds the others too."""
LOWER_IS_BETTER = ("RMSE",)
LEAD_METRICS = ("NDCG@10", "Recall@10")
COMPARED = ("NDCG@10", "Recall@10", *LABELS)
LEAD_SLICES = (ALL, "unseen items")
FEW = 30
"""A slice of fewer targets is not worth a line."""


def report_tables(report: Report) -> Iterator[Table]:
    """How accurate everybody is, what their lists are like, and the slices of items and users."""
    yield _metrics_table(report.rows, ACCURACY, _bold_best)
    shown = [row for row in report.rows if row.ranks]
    yield _metrics_table(shown, LISTS, _plain)
    for names in (ITEM_SLICES, WITH_HISTORY, USER_SLICES):
        held = [name for name in names if name in report.slices]
        if held:
            yield _slices_table(report, held)
    if report.baseline_row is not None:
        yield _comparison_table(report, report.baseline_row)


def leads(report: Report) -> Iterator[str]:
    """One line a metric: how far the first row is ahead of the peer that is best by this metric."""
    peers = [row for row in report.rows if row.peer and row.ranks]
    for part in LEAD_SLICES:
        if part in report.slices and report.slices[part].targets < FEW:
            continue
        for metric in LEAD_METRICS:
            # The smallest lead is over the best peer.
            leads = [(row.ahead[part][metric], row.model) for row in peers if part in row.ahead]
            if leads:
                lead, peer = min(leads, key=lambda pair: pair[0].value)
                where = "" if part == ALL else f" on {part}"
                yield (
                    f"{metric}{where}: {report.rows[0].model} - {peer} (the best peer) = "
                    f"{lead.value:+.4f} [{lead.low:+.4f}, {lead.high:+.4f}]"
                )


def serving(report: Report) -> Iterator[str]:
    """One line a model: how good its index is, and how long a call takes."""
    for name, measured in report.serving.items():
        index = "".join(f"{metric} {value.value:.4f}, " for metric, value in measured.index.items())
        took = measured.latency
        yield (
            f"{name}: {index}a call takes {took.p50:.1f} ms (95% at most {took.p95:.1f}, 99% {took.p99:.1f}; "
            f"{took.calls} calls)"
        )


def _metrics_table(
    rows: Sequence[Row], names: Sequence[str], style: Callable[[Metric, str, Sequence[Metric]], str]
) -> Table:
    columns = [name for name in names if any(name in row.metrics for row in rows)]
    table = _table(columns)
    for row in rows:
        cells = []
        for column in columns:
            metric = row.metrics.get(column)
            others = [other.metrics[column] for other in rows if column in other.metrics]
            cells.append("" if metric is None else style(metric, column, others))
        table.add_row(row.model, *cells)
    return table


def _bold_best(metric: Metric, name: str, column: Sequence[Metric]) -> str:
    values = [each.value for each in column]
    best = min(values) if name in LOWER_IS_BETTER else max(values)
    text = _plain(metric, name, column)
    return f"[bold]{text}[/bold]" if metric.value == best else text


def _plain(metric: Metric, name: str, column: Sequence[Metric]) -> str:
    text = f"{metric.value:.4f}"
    return text if metric.margin is None else f"{text} [dim]±{metric.margin:.3f}[/dim]"


def _slices_table(report: Report, names: Sequence[str]) -> Table:
    """Recall@10 of each slice in three digits, so that six of them stand side by side."""
    heads = [f"{_broken(name)}\n({report.slices[name].targets:,})" for name in names]
    table = _table(heads, f"{SLICED}\non\n(targets)", padding=0)
    rows = [row for row in report.rows if row.ranks]
    best = {name: max(row.slices[name][SLICED].value for row in rows) for name in names}
    for row in rows:
        cells = []
        for name in names:
            metric = row.slices[name][SLICED]
            text = f"{metric.value:.3f}[dim]{f'±{metric.margin:.3f}'.replace('0.', '.')}[/dim]"
            cells.append(f"[bold]{text}[/bold]" if metric.value == best[name] else text)
        table.add_row(row.model, *cells)
    return table


def _comparison_table(report: Report, baseline: Row) -> Table:
    """The first row less the baseline, all and slice by slice; bold where the interval excludes 0."""
    columns = [name for name in COMPARED if name in baseline.ahead[ALL]]
    table = _table(["targets", *columns], f"{report.rows[0].model} less {baseline.model}")
    for part in (ALL, *(name for name in SLICES if name in report.slices)):
        targets = report.targets if part == ALL else report.slices[part].targets
        table.add_row(part, f"{targets:,}", *(_difference(baseline.ahead[part][name]) for name in columns))
    return table


def _difference(metric: Metric) -> str:
    text = f"{metric.value:+.4f} [dim]±{metric.margin:.3f}[/dim]"
    return f"[bold]{text}[/bold]" if metric.certain else text


def _broken(name: str) -> str:
    return name.replace(" ", "\n") if " " in name else f"\n{name}"


def _table(columns: Sequence[str], first: str = "Model", padding: int = 1) -> Table:
    table = Table(first, box=box.SIMPLE_HEAD, padding=(0, padding, 0, 0))
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
