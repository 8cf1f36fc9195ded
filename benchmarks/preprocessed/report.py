"""Shows, draws and writes what preprocessing took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks import record
from benchmarks.chart import MODEL_COLOUR, PEER_COLOUR, save

LIBRARIES = ("apache-beam", "polars", "transformers")


@dataclass(frozen=True)
class Row:
    """One measured command.

    Attributes:
      name: of what was run.
      rows: interactions in the table.
      seconds: on the clock, start and end of the process included.
      rows_a_second: of the same.
      peak_bytes: the most memory of all its processes together.
    """

    name: str
    rows: int
    seconds: float
    rows_a_second: float
    peak_bytes: int


def table(rows: Sequence[Row]) -> Table:
    """A table with a line for each row; speeds are also given in those of the other lines of that size."""
    shown = Table(title="preprocessing", title_justify="left")
    for name in ("interactions", "", "seconds", "rows/s", "peak GiB", "of 1 worker", "of polars"):
        shown.add_column(name, justify="left" if not name else "right")
    for row in rows:
        polars, one, *_ = (other for other in rows if other.rows == row.rows)
        shown.add_row(
            f"{row.rows:,}",
            row.name,
            f"{row.seconds:.1f}",
            f"{row.rows_a_second:,.0f}",
            f"{row.peak_bytes / 2**30:.2f}",
            f"{row.rows_a_second / one.rows_a_second:.2f}x",
            f"{row.rows_a_second / polars.rows_a_second:.2f}x",
        )
    return shown


def write_record(path: Path, rows: Sequence[Row]) -> None:
    """Writes the rows as JSON, with the command, the date and the machine; whole or not at all."""
    record.write_record(path, {"rows": [asdict(row) for row in rows]}, LIBRARIES)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws speed and memory; the file is whole or not there."""
    figure = Figure(figsize=(10, 1.4 + 0.4 * len(rows)))
    names = [f"{row.name}, {row.rows:,}" for row in rows]
    panels = {
        "thousand interactions a second": ([row.rows_a_second / 1000 for row in rows], "{:.0f}"),
        "peak memory, GiB": ([row.peak_bytes / 2**30 for row in rows], "{:.1f}"),
    }
    colours = [MODEL_COLOUR if row.name.startswith("Tandem") else PEER_COLOUR for row in rows]
    for axes, (label, (values, shown)) in zip(
        figure.subplots(1, 2, sharey=True), panels.items(), strict=True
    ):
        bars = axes.barh(names, values, color=colours)
        axes.bar_label(bars, fmt=shown, padding=3, fontsize=8)
        axes.set_title(label, fontsize=10)
        axes.margins(x=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    figure.tight_layout()
    save(figure, path)
