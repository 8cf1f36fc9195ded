"""Counters and histograms in the text format of Prometheus, as TensorFlow Serving writes them.

`prometheus_client` cannot take their place: it calls every counter `…_total` and writes the bounds of
buckets in another way, and dashboards made for TensorFlow Serving ask for both by their text.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
from collections.abc import Iterator, Sequence


class Counter:
    """A number for each combination of label values, which only grows.

    Args:
        name: as Prometheus shows it.
        labels: the names of its labels.
    """

    def __init__(self, name: str, labels: Sequence[str] = ()):
        self._name = name
        self._labels = tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, *labels: str, amount: int = 1) -> None:
        """Adds to the number of these label values."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    def lines(self) -> Iterator[str]:
        """Writes it."""
        with self._lock:
            values = dict(self._values)
        yield f"# TYPE {self._name} counter"
        for labels, value in values.items():
            yield f"{self._name}{{{_pairs(self._labels, labels)}}} {value}"


@dataclasses.dataclass
class _Cell:
    counts: list[int]
    total: float = 0.0


class Histogram:
    """How often values fell into which bucket, for each combination of label values.

    Args:
        name: as Prometheus shows it.
        labels: the names of its labels.
        bounds: the highest value of each bucket; one without bound follows.
    """

    def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float]):
        self._name = name
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._lock = threading.Lock()
        self._cells: dict[tuple[str, ...], _Cell] = {}

    def observe(self, *labels: str, value: float) -> None:
        """Counts a value for these label values."""
        bucket = bisect.bisect_left(self._bounds, value)
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                cell = self._cells[labels] = _Cell([0] * (len(self._bounds) + 1))
            cell.counts[bucket] += 1
            cell.total += value

    def lines(self) -> Iterator[str]:
        """Writes it."""
        with self._lock:
            cells = {labels: _Cell(list(cell.counts), cell.total) for labels, cell in self._cells.items()}
        yield f"# TYPE {self._name} histogram"
        for labels, cell in cells.items():
            yield from self._cell_lines(_pairs(self._labels, labels), cell)

    def _cell_lines(self, pairs: str, cell: _Cell) -> Iterator[str]:
        before = f"{pairs}," if pairs else ""
        sums = list(itertools.accumulate(cell.counts))
        for bound, count in zip([*(f"{bound:.6g}" for bound in self._bounds), "+Inf"], sums, strict=True):
            yield f'{self._name}_bucket{{{before}le="{bound}"}} {count}'
        yield f"{self._name}_sum{{{pairs}}} {cell.total:.17g}"
        yield f"{self._name}_count{{{pairs}}} {sums[-1]}"


def exponential(first: float, factor: float, count: int) -> list[float]:
    """Gives the bounds of buckets, each so many times the one before."""
    return [first * factor**power for power in range(count)]


def _pairs(names: Sequence[str], values: Sequence[str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
