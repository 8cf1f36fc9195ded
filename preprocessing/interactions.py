"""Checks interactions, the largest table: many rows at a time, and one by one where something is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from preprocessing.config import Column, LabelColumn, ReviewColumn, TimeColumn
from preprocessing.rows import (
    FLOAT32_MAX,
    LAST_SECOND,
    WHITESPACE,
    RowError,
    id_cell,
    label_cell,
    review_cell,
    time_cell,
)

CHUNK_ROWS = 128
"""So many rows are checked at a time: few, since one that is odd has all of them checked one by one."""


class Interaction(NamedTuple):
    """A checked row of the interactions; `time` is in milliseconds since 1970, 0 without such a column."""

    user: str
    item: str
    time: int
    label: float
    texts: tuple[str, ...]


class InteractionCheck:
    """Checks the cells of interactions, column by column in the config's order.

    Args:
      columns: of the table.
    """

    def __init__(self, columns: Mapping[str, Column]):
        names = list(columns)
        kinds = {type(column): name for name, column in columns.items()}
        self._cells = [_one_by_one(name, column) for name, column in columns.items()]
        self._plain = [_many(column) for column in columns.values()]
        self._user, self._item = names.index("user_id"), names.index("item_id")
        self._time, self._label = (
            names.index(kinds[kind]) if kind in kinds else None for kind in (TimeColumn, LabelColumn)
        )
        self._texts = [
            place for place, column in enumerate(columns.values()) if isinstance(column, ReviewColumn)
        ]

    def __call__(self, cells: list[str]) -> Interaction:
        """Checks the cells of one interaction.

        Raises:
          RowError: at the first column that cannot be used.
        """
        values = [check(cell) for check, cell in zip(self._cells, cells, strict=True)]
        return Interaction(
            values[self._user],
            values[self._item],
            0 if self._time is None else values[self._time],
            0.0 if self._label is None else values[self._label],
            tuple([values[place] for place in self._texts]),
        )

    def rows(self, cells: Sequence[list[str]]) -> Iterator[Interaction | RowError]:
        """Checks the cells of many interactions: gives of each what `__call__` gives or raises."""
        for start in range(0, len(cells), CHUNK_ROWS):
            chunk = cells[start : start + CHUNK_ROWS]
            yield from self._plain_rows(chunk) or map(self._row, chunk)

    def _row(self, cells: list[str]) -> Interaction | RowError:
        try:
            return self(cells)
        except RowError as error:
            return error

    def _plain_rows(self, cells: Sequence[list[str]]) -> list[Interaction] | None:
        """Checks rows column by column; None where one of them may be odd."""
        columns: list[Any] = []
        for read, column in zip(self._plain, zip(*cells, strict=True), strict=True):
            columns.append(read(column))
            if columns[-1] is None:
                return None
        nothing = [()] * len(cells)
        return list(
            map(
                Interaction,
                columns[self._user],
                columns[self._item],
                [0] * len(cells) if self._time is None else columns[self._time],
                [0.0] * len(cells) if self._label is None else columns[self._label],
                zip(*(columns[place] for place in self._texts), strict=True) if self._texts else nothing,
            )
        )


def _one_by_one(name: str, column: Column) -> Callable[[str], Any]:
    if isinstance(column, TimeColumn):
        return partial(time_cell, name, column)
    if isinstance(column, LabelColumn):
        return partial(label_cell, name)
    if isinstance(column, ReviewColumn):
        return partial(review_cell, column)
    return partial(id_cell, name)


def _many(column: Column) -> Callable[[Sequence[str]], list[Any] | None]:
    if isinstance(column, TimeColumn):
        return partial(_times, column)
    if isinstance(column, LabelColumn):
        return _labels
    if isinstance(column, ReviewColumn):
        return lambda cells: [review_cell(column, cell) for cell in cells]
    return _ids


def _ids(cells: Sequence[str]) -> list[str] | None:
    ids = [cell.strip(WHITESPACE) for cell in cells]
    together = "".join(ids)
    return None if "" in ids or "\n" in together or "\r" in together else ids


def _numbers(cells: Sequence[str], most: float) -> np.ndarray | None:
    if any("_" in cell for cell in cells):
        return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return values if (np.abs(values) <= most).all() else None  # NaN is no more than anything


def _labels(cells: Sequence[str]) -> list[float] | None:
    values = _numbers(cells, FLOAT32_MAX)
    return None if values is None else values.tolist()


def _times(column: TimeColumn, cells: Sequence[str]) -> list[int] | None:
    if column.unit == "iso":
        return None
    scale = 1 if column.unit == "s" else 1000
    values = _numbers(cells, LAST_SECOND * scale)
    # Rounded as Python rounds, halves to even.
    return None if values is None else np.rint(values / scale * 1000).astype(np.int64).tolist()
