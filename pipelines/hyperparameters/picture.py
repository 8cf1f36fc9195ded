"""A picture of the trials."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from pipelines.hyperparameters.results import COMPLETE, Result, best_of
from pipelines.hyperparameters.space import Space
from preprocessing.schema import write_whole

PICTURE_FILE = "trials.png"
BEST_COLOUR, COMPLETE_COLOUR, OTHER_COLOUR = "#c0392b", "#1f5fa8", "#b8bcc4"
PANELS_A_ROW = 4
INCHES = 3.2
DOTS_AN_INCH = 120


def draw(folder: Path, results: Sequence[Result], space: Space, metric: str) -> None:
    """Draws the metric by epoch, and against each key that was searched, into `trials.png`.

    What was given up is grey, the best is red.
    """
    count = 1 + len(space.distributions)
    columns = min(count, PANELS_A_ROW)
    rows = -(-count // columns)
    figure = Figure(figsize=(INCHES * columns, INCHES * rows))
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    best = best_of(results)
    colours = [_colour(result, best) for result in results]
    _curves(panels[0], results, colours, metric)
    for axes, key in zip(panels[1:], space.distributions, strict=False):
        _scatter(axes, results, colours, space, key)
    for axes in panels[count:]:
        axes.set_visible(False)
    figure.tight_layout()
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_AN_INCH)
    write_whole(folder / PICTURE_FILE, content.getbuffer())


def _colour(result: Result, best: Result | None) -> str:
    if result is best:
        return BEST_COLOUR
    return COMPLETE_COLOUR if result.outcome == COMPLETE else OTHER_COLOUR


def _curves(axes: Axes, results: Sequence[Result], colours: Sequence[str], metric: str) -> None:
    for result, colour in zip(results, colours, strict=True):
        axes.plot(list(result.curve), list(result.curve.values()), color=colour, linewidth=1, marker=".")
    axes.set_title("validation " + metric, fontsize=10)
    axes.set_xlabel("epoch", fontsize=9)


def _scatter(axes: Axes, results: Sequence[Result], colours: Sequence[str], space: Space, key: str) -> None:
    distribution = space.distributions[key]
    # Without a value, None becomes a gap.
    values = np.array([result.value for result in results], float)
    points = [result.point[key] for result in results]
    if isinstance(distribution, CategoricalDistribution):
        axes.set_xticks(range(len(distribution.choices)), [str(choice) for choice in distribution.choices])
        points = [distribution.choices.index(point) for point in points]
    elif isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log:
        axes.set_xscale("log")
    axes.scatter(np.array(points, float), values, c=colours, s=18)
    axes.set_title(key, fontsize=10)
