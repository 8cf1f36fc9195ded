"""Writes `report.html`: one file with its style and its pictures inside."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jinja2
from markupsafe import Markup

from pipelines.evaluation.measures import LISTS, METRICS, Metric
from pipelines.evaluation.page import charts
from pipelines.evaluation.page.canvas import Canvas
from pipelines.evaluation.page.curves import Curves, read_curves
from pipelines.evaluation.report import Report
from pipelines.evaluation.requirements import Blessing
from pipelines.evaluation.tables import COMPARED
from preprocessing.schema import InputError, write_whole

SLICED = ("NDCG@10", "Recall@10")
"""The metrics that are drawn slice by slice."""


def write_page(path: Path, report: Report, blessing: Blessing) -> None:
    """Writes the page; the file is either whole or not there.

    Learning curves are read from the training beside the model that was judged. Where there is none, the
    page says so.
    """
    notes = list(report.notes)
    try:
        curves = read_curves(report.model)
    except InputError as error:
        curves = None
        notes.append(f"Learning curves were left out: {error}.")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.evaluation.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "difference": _difference}
    content = environment.get_template("report.html.jinja").render(
        report=report,
        blessing=blessing,
        notes=notes,
        accuracy=[name for name in METRICS if name not in LISTS and _measured(report, name)],
        lists=[name for name in LISTS if _measured(report, name)],
        compared=[name for name in COMPARED if _measured(report, name)],
        parts=charts.parts(report),
        rivals=[row.model for row in charts.compared(report)[1:]],
        pictures=_pictures(report, curves),
    )
    write_whole(path, content.encode())


def _measured(report: Report, metric: str) -> bool:
    return metric in report.rows[0].metrics


def _pictures(report: Report, curves: Curves | None) -> dict[str, list[Markup]]:
    """The pictures of each section; a section without any is left out."""
    canvas = Canvas()
    slices = charts.slices_height(report)
    drawn = {
        "accuracy": [
            canvas.picture(charts.models_height(report), partial(charts.models, report=report, metric=metric))
            for metric in SLICED
        ],
        "slices": [
            canvas.picture(slices, partial(charts.slices, report=report, metric=metric)) for metric in SLICED
        ],
        "popularity": [canvas.picture(2.9, partial(charts.exposure, report=report))],
    }
    if report.baseline_row is not None:
        drawn["comparison"] = [
            canvas.picture(
                slices,
                partial(charts.leads, report=report, baseline=report.baseline_row, metric=metric),
            )
            for metric in SLICED
        ]
    if report.rows[0].calibration:
        drawn["predictions"] = [canvas.picture(3.4, partial(charts.calibration, report=report))]
    if report.serving:
        drawn["serving"] = [canvas.picture(2.9, partial(charts.index, report=report))]
    if curves is not None:
        drawn["training"] = [
            canvas.picture(2.5, partial(charts.curve, values=values, curves=curves))
            for values in (curves.quality, curves.loss)
            if values
        ]
    return drawn


def _number(metric: Metric) -> Markup:
    text = Markup("{}").format(f"{metric.value:.4f}")
    if metric.margin is None:
        return text
    return text + Markup(" <small>±{}</small>").format(f"{metric.margin:.3f}")


def _difference(metric: Metric) -> Markup:
    text = Markup("{} <small>[{}, {}]</small>").format(
        f"{metric.value:+.4f}", f"{metric.low:+.4f}", f"{metric.high:+.4f}"
    )
    return Markup("<strong>{}</strong>").format(text) if metric.certain else text
