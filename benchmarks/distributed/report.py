"""What the benchmark of distributed training found, as a table, a record and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks import record
from benchmarks.chart import MODEL_COLOUR, PEER_COLOUR, save

ONE = "one device"


@dataclass(frozen=True)
class Result:
    """What one training came to.

    Attributes:
      ndcg: validation NDCG@10 of the best epoch.
      seconds: on the clock.
    """

    ndcg: float
    seconds: float


Results = Mapping[str, Sequence[Result]]
"""By kind, one for each seed."""


def table(results: Results) -> Table:
    """What each kind came to, and how far it leads one device with the same seed."""
    made = Table("training on", "NDCG@10 of each seed", "mean", "lead", "standard error", "seconds")
    for kind, found in results.items():
        leads = [each.ndcg - other.ndcg for each, other in zip(found, results[ONE], strict=True)]
        error = statistics.stdev(leads) / len(leads) ** 0.5 if len(leads) > 1 else 0.0
        made.add_row(
            kind,
            " ".join(f"{each.ndcg:.4f}" for each in found),
            f"{statistics.mean(each.ndcg for each in found):.4f}",
            f"{statistics.mean(leads):+.4f}",
            f"{error:.4f}",
            f"{statistics.mean(each.seconds for each in found):.0f}",
        )
    return made


def write_record(path: Path, results: Results) -> None:
    """Writes what was found, when and where; the file is whole or not there."""
    found = {kind: [asdict(each) for each in trained] for kind, trained in results.items()}
    record.write_record(path, {"results": found})


def draw(results: Results, path: Path) -> None:
    """Draws the mean NDCG@10 of each kind as a bar, and each seed's as a point."""
    shown = {kind: [each.ndcg for each in found] for kind, found in results.items() if found}
    figure = Figure(figsize=(7.5, 1.0 + 0.5 * len(shown)))
    axes = figure.subplots()
    colours = [PEER_COLOUR if kind == ONE else MODEL_COLOUR for kind in shown]
    axes.barh(range(len(shown)), [statistics.mean(each) for each in shown.values()], color=colours)
    for place, each in enumerate(shown.values()):
        axes.plot(each, [place] * len(each), "o", color="black", markersize=3)
        axes.annotate(
            f"{statistics.mean(each):.4f}",
            (max(each), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(shown)), list(shown))
    axes.invert_yaxis()
    axes.set_title("validation NDCG@10: the mean, and each seed", fontsize=10)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    save(figure, path)
