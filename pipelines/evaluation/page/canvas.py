"""Draws with matplotlib into SVG that takes its colours and its typeface from the page."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable
from enum import Enum
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 4.4
"""Inches, 72 units of the picture each: a column of the page, or the whole of a telephone."""


class Colour(str, Enum):
    """A colour for matplotlib that stands for a property of the page's style, light or dark."""

    ink = "#000001"
    muted = "#000002"
    line = "#000003"
    model = "#000004"
    baseline = "#000005"
    peer = "#000006"
    card = "#000007"


STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tandem",
    "font.size": 9,
    "text.color": Colour.ink.value,
    "axes.edgecolor": Colour.line.value,
    "axes.labelcolor": Colour.muted.value,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": Colour.line.value,
    "grid.linewidth": 0.6,
    "xtick.color": Colour.line.value,
    "ytick.color": Colour.line.value,
    "xtick.labelcolor": Colour.muted.value,
    "ytick.labelcolor": Colour.ink.value,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
}


class Canvas:
    """Makes the pictures of one page; their parts have names that no other picture has."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def picture(self, height: float, draw: Callable[[Axes], None]) -> Markup:
        """Draws a picture.

        Args:
          height: in inches.
          draw: is given the axes.

        Returns:
          an `<svg>` element.
        """
        content = io.StringIO()
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(WIDTH, height), layout="constrained")
            FigureCanvasSVG(figure)
            draw(figure.subplots())
            figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return self._inlined(content.getvalue())

    def _inlined(self, document: str) -> Markup:
        """The element alone, its colours, sizes and names made those of the page."""
        element = document[document.index("<svg") :]
        element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
        element = re.sub(r' (width|height)="[\d.]+pt"', "", element, count=2)
        for colour in Colour:
            element = element.replace(colour.value, f"var(--{colour.name})")
        name = f"picture{next(self._numbers)}-"
        for before in (' id="', 'xlink:href="#', "url(#"):
            element = element.replace(before, before + name)
        return Markup(element)
