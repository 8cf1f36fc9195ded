"""A picture of a report."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.chart import Bar, draw_bars, save
from benchmarks.search_queries.report import INTERESTS, NEGATED, Report

INCHES_A_PANEL, INCHES_A_ROW = 3.2, 0.34


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
    panels = figure.subplots(1, len(titles), sharey=True)
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        draw_bars(axes, title, [Bar(row.name, row.peer, row.metrics.get(name)) for row in report.rows])
    figure.suptitle(f"{report.name}: search for {report.held_out:,} items that training never saw")
    figure.tight_layout()
    save(figure, path)
