"""A picture of a comparison, and what the pictures of all benchmarks have in common."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.evaluation.measures import Metric
from pipelines.evaluation.report import Report, Row
from preprocessing.schema import write_whole

UNSEEN = "unseen items"
MODEL_COLOUR, PEER_COLOUR = "#1f5fa8", "#b8bcc4"
INCHES_A_PANEL, INCHES_A_ROW = 3.6, 0.34
DOTS_AN_INCH = 150

Panel = tuple[str, Callable[[Row], Metric]]


class Bar(NamedTuple):
    """A bar of a panel; without a metric its place stays empty."""

    name: str
    peer: bool
    metric: Metric | None


def draw(report: Report, path: Path) -> None:
    """Draws NDCG@10, Recall@10, coverage and, if there are any targets, Recall@10 on unseen items.

    Bars are means, lines their 95% bootstrap intervals. The file is either whole or not there.
    """
    rows = [row for row in report.rows if row.ranks]
    panels: list[Panel] = [
        ("NDCG@10", lambda row: row.metrics["NDCG@10"]),
        ("Recall@10", lambda row: row.metrics["Recall@10"]),
        ("Coverage@10", lambda row: row.metrics["Coverage@10"]),
    ]
    if UNSEEN in report.slices:
        title = f"Recall@10, unseen items\n({report.slices[UNSEEN].targets:,} targets)"
        panels.insert(2, (title, lambda row: row.slices[UNSEEN]["Recall@10"]))
    figure = Figure(figsize=(1.5 + INCHES_A_PANEL * len(panels), 1.6 + INCHES_A_ROW * len(rows)))
    for axes, (title, metric) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        draw_bars(axes, title, [Bar(row.model, row.peer, metric(row)) for row in rows])
    figure.suptitle(
        f"{report.name}, {report.split} split, {report.part} part: {report.cases:,} cases, "
        f"{report.targets:,} targets"
    )
    figure.tight_layout()
    save(figure, path)


def draw_bars(axes: Axes, title: str, bars: Sequence[Bar]) -> None:
    """Draws a panel: means as bars, the first one on top, and their 95% intervals as lines."""
    for place, (_, peer, metric) in enumerate(bars):
        if metric is None:
            continue
        axes.barh(place, metric.value, color=PEER_COLOUR if peer else MODEL_COLOUR)
        if metric.low is not None and metric.high is not None:
            axes.plot([metric.low, metric.high], [place, place], color="black", linewidth=1)
        axes.annotate(
            f"{metric.value:.3f}",
            (metric.value if metric.high is None else metric.high, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(bars)), [bar.name for bar in bars])
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.18)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG; the file is either whole or not there."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_AN_INCH)
    write_whole(path, content.getbuffer())
