"""A picture of a report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.search_queries.report import INTERESTS, NEGATED, Report, Row
from preprocessing.schema import write_whole

MODEL_COLOUR, PEER_COLOUR = "#1f5fa8", "#b8bcc4"
INCHES_A_PANEL, INCHES_A_ROW = 3.2, 0.34
DOTS_AN_INCH = 150


def draw(report: Report, path: Path) -> None:
    """Draws recall by the number of interests, and the share that is not wanted.

    Bars are means, lines their 95% bootstrap intervals. The file is either whole or not there.
    """
    titles = {name: f"{name}\n({report.queries[count]:,} queries)" for count, name in INTERESTS.items()}
    titles[NEGATED] = (
        f"share of the top 10 that is not wanted\n({report.negations:,} queries with a negation)"
    )
    size = (2.0 + INCHES_A_PANEL * len(titles), 1.6 + INCHES_A_ROW * len(report.rows))
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(titles), sharey=True)
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        _bars(axes, title, name, report.rows)
    panels[0].invert_yaxis()
    figure.suptitle(f"{report.name}: search for {report.held_out:,} items that training never saw")
    figure.tight_layout()
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_AN_INCH)
    write_whole(path, content.getbuffer())


def _bars(axes: Axes, title: str, name: str, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        if name not in row.metrics:
            continue
        metric = row.metrics[name]
        axes.barh(place, metric.value, color=PEER_COLOUR if row.peer else MODEL_COLOUR)
        end = metric.value
        if metric.low is not None and metric.high is not None:
            axes.plot([metric.low, metric.high], [place, place], color="black", linewidth=1)
            end = metric.high
        axes.annotate(
            f"{metric.value:.3f}",
            (end, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.18)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
