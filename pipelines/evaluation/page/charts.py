"""What is drawn of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipelines.evaluation.measures import Metric
from pipelines.evaluation.page.canvas import Colour
from pipelines.evaluation.page.curves import Curves
from pipelines.evaluation.report import BASELINE, Report, Row
from pipelines.evaluation.slices import ALL, SLICES

ROW = 0.27
"""Inches of height a line of a chart takes."""
BLANK = 0.75
"""Inches above and below the lines."""


def models_height(report: Report) -> float:
    """The height of `models`."""
    return BLANK + ROW * len(_ranking_rows(report))


def models(axes: Axes, report: Report, metric: str) -> None:
    """A metric of everybody, with its intervals."""
    rows = _ranking_rows(report)
    for place, row in enumerate(rows):
        _dot(axes, row.metrics[metric], place, _colour(report, row))
    _lines(axes, [row.model for row in rows])
    axes.set_xlim(left=0)


def parts(report: Report) -> list[str]:
    """All targets and the slices that hold some, in the order in which they are told."""
    return [ALL, *(name for name in SLICES if name in report.slices)]


def slices_height(report: Report) -> float:
    """The height of `slices` and of `leads`."""
    return BLANK + 0.3 + ROW * 1.25 * len(parts(report))


def slices(axes: Axes, report: Report, metric: str) -> None:
    """A metric slice by slice: the model, the baseline, and the peer that is best over all."""
    rows = compared(report)
    for place, part in enumerate(parts(report)):
        for row, shift in zip(rows, np.linspace(-0.25, 0.25, len(rows)), strict=True):
            measured = row.metrics if part == ALL else row.slices[part]
            label = row.model if part == ALL else None
            _dot(axes, measured[metric], place + shift, _colour(report, row), label)
    _lines(axes, _sized(report))
    axes.set_xlim(left=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, handletextpad=0.3)


def leads(axes: Axes, report: Report, baseline: Row, metric: str) -> None:
    """How far the model is ahead of the baseline, slice by slice."""
    axes.axvline(0, color=Colour.muted, linewidth=1)
    for place, part in enumerate(parts(report)):
        _dot(axes, baseline.ahead[part][metric], place, Colour.model)
    _lines(axes, _sized(report))


def exposure(axes: Axes, report: Report) -> None:
    """How popular the items are that are wanted, and that are shown."""
    names = list(report.exposure)
    series: list[tuple[str, Colour, list[float]]] = [
        ("the catalogue", Colour.line, [each.catalogue for each in report.exposure.values()]),
        ("wanted", Colour.peer, [each.wanted for each in report.exposure.values()]),
    ]
    for row in report.rows:
        if not row.peer and row.model in (report.rows[0].model, BASELINE):
            shown = [each.shown.get(row.model, 0.0) for each in report.exposure.values()]
            series.append((f"shown by {row.model}", _colour(report, row), shown))
    width = 0.8 / len(series)
    for number, (label, colour, values) in enumerate(series):
        places = np.arange(len(names)) + (number - (len(series) - 1) / 2) * width
        axes.bar(places, values, width * 0.9, color=colour, label=label)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0, labelcolor=Colour.ink)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def calibration(axes: Axes, report: Report) -> None:
    """What was predicted beside what came of it; on the line a model is right on average."""
    rows = [row for row in report.rows if row.calibration]
    predicted = [each.predicted for row in rows for each in row.calibration]
    axes.axline((predicted[0], predicted[0]), slope=1, color=Colour.muted, linewidth=1, linestyle=(0, (4, 3)))
    for row in rows:
        colour = _colour(report, row)
        axes.plot(
            [each.predicted for each in row.calibration],
            [each.observed.value for each in row.calibration],
            color=colour,
            marker="o",
            markersize=4,
            label=row.model,
        )
        for each in row.calibration:
            axes.plot([each.predicted] * 2, _ends(each.observed), color=colour, linewidth=1, alpha=0.6)
    axes.set_xlabel("predicted")
    axes.set_ylabel("observed")
    axes.tick_params(axis="y", labelcolor=Colour.muted)
    axes.legend(loc="upper left")


def index(axes: Axes, report: Report) -> None:
    """How much of an exact search the index finds, against how long a call takes (p50 to p99)."""
    markers = dict(zip(("ANN recall@10", "ANN recall@100"), "os", strict=True))
    for row in report.rows:
        if row.model not in report.serving:
            continue
        measured, colour = report.serving[row.model], _colour(report, row)
        for name, found in measured.index.items():
            axes.plot(
                [measured.latency.p50, measured.latency.p99], [found.value] * 2, color=colour, alpha=0.6
            )
            axes.plot([measured.latency.p50] * 2, _ends(found), color=colour, alpha=0.6)
            axes.plot(
                measured.latency.p50,
                found.value,
                markers[name],
                color=colour,
                label=f"{row.model}, {name}",
            )
    bottom = min(
        (found.value for each in report.serving.values() for found in each.index.values()), default=1
    )
    axes.set_ylim(min(0.9, bottom - 0.05), 1.01)
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds a call, from the median to the 99th percentile")
    axes.set_ylabel("share of an exact search")
    axes.tick_params(axis="y", labelcolor=Colour.muted)
    axes.legend(loc="lower left")


def curve(axes: Axes, values: Mapping[int, float], curves: Curves) -> None:
    """One value an epoch, with the epoch that was exported."""
    axes.plot(list(values), list(values.values()), color=Colour.model)
    best = curves.best_epoch
    if best is not None and best in values:
        axes.plot(best, values[best], "o", color=Colour.model)
        axes.annotate(
            f"epoch {best}",
            (best, values[best]),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            color=Colour.muted,
        )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="y", labelcolor=Colour.muted)
    axes.margins(y=0.15)


def compared(report: Report) -> list[Row]:
    """The model, the baseline, and the peer with the best NDCG@10."""
    models = [row for row in report.rows if row is report.rows[0] or row is report.baseline_row]
    peers = [row for row in report.rows if row.peer and row.ranks]
    return [*models, *sorted(peers, key=lambda row: -row.metrics["NDCG@10"].value)[:1]]


def _ranking_rows(report: Report) -> list[Row]:
    return [row for row in report.rows if row.ranks]


def _sized(report: Report) -> list[str]:
    sizes = {ALL: report.targets, **{name: each.targets for name, each in report.slices.items()}}
    return [f"{part} ({sizes[part]:,})" for part in parts(report)]


def _colour(report: Report, row: Row) -> Colour:
    if row.peer:
        return Colour.peer
    return Colour.baseline if row is report.baseline_row else Colour.model


def _dot(axes: Axes, metric: Metric, place: float, colour: Colour, label: str | None = None) -> None:
    axes.plot(_ends(metric), [place, place], color=colour, solid_capstyle="round")
    axes.plot(metric.value, place, "o", color=colour, markersize=5, label=label)


def _ends(metric: Metric) -> list[float]:
    return [metric.value if end is None else end for end in (metric.low, metric.high)]


def _lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=False, axis="y")
