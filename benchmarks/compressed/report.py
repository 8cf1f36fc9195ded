"""Shows, draws and writes what the variants came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks import record
from benchmarks.chart import MODEL_COLOUR, save


@dataclass(frozen=True)
class Row:
    """One variant.

    Attributes:
      group, name: of the variant.
      ndcg: NDCG@10 on the validation part, retrieval alone; None for an index.
      recall: the share of the exact index's first ten that is found; None but for an index.
      epoch_seconds: the processor's, of training; None where it was trained before, and for an index.
      tuned_weights: of the language model.
      megabytes, texts_a_second, milliseconds: see `benchmarks.compressed.measuring.Measured`.
    """

    group: str
    name: str
    ndcg: float | None
    recall: float | None
    epoch_seconds: float | None
    tuned_weights: int
    megabytes: float
    texts_a_second: float | None
    milliseconds: float


def table(rows: Sequence[Row], title: str) -> Table:
    """A table with a line for each variant."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("variant")
    for name in ("NDCG@10", "recall@10", "CPU s/epoch", "tuned weights", "MB", "texts/s", "ms"):
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(
            row.name,
            _number(row.ndcg, ".4f"),
            _number(row.recall, ".3f"),
            _number(row.epoch_seconds, ".1f"),
            f"{row.tuned_weights:,}",
            f"{row.megabytes:.1f}",
            _number(row.texts_a_second, ",.0f"),
            f"{row.milliseconds:.2f}",
        )
    return shown


def _number(value: float | None, style: str) -> str:
    return "" if value is None else format(value, style)


def write_record(path: Path, rows: Sequence[Row], config: str, epochs: int) -> None:
    """Writes the rows as JSON, with the command, the date and the machine; whole or not at all."""
    record.write_record(path, {"config": config, "epochs": epochs, "rows": [asdict(row) for row in rows]})


def draw(rows: Sequence[Row], path: Path, title: str) -> None:
    """Draws size, reading speed and quality of what was trained; the file is whole or not there."""
    trained = [row for row in rows if row.ndcg is not None]
    figure = Figure(figsize=(12, 1.4 + 0.34 * len(trained)))
    names = [row.name for row in trained]
    panels = {
        "NDCG@10, validation": [row.ndcg for row in trained],
        "MB": [row.megabytes for row in trained],
        "texts read a second": [row.texts_a_second or 0 for row in trained],
    }
    for axes, (label, values) in zip(
        figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True
    ):
        bars = axes.barh(names, values, color=MODEL_COLOUR)
        axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
        axes.set_title(label, fontsize=10)
        axes.margins(x=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    figure.suptitle(title)
    figure.tight_layout()
    save(figure, path)
