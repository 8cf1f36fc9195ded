"""Checks interactions, the largest table: many rows at a time, and one by one where something is odd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

import numpy as np

from preprocessing.columns import Column, LabelColumn, ReviewColumn, TimeColumn
from preprocessing.rows import (
    FLOAT32_MAX,
    LAST_SECOND,
    WHITESPACE,
    id_cell,
    label_cell,
    review_cell,
    time_cell,
)


class Interaction(NamedTuple):
    """A checked row of the interactions; `time` is in milliseconds since 1970, 0 without such a column."""

    user: str
    item: str
    time: int
    label: float
    texts: tuple[str, ...]


class InteractionColumns(NamedTuple):
    """Checked rows of the interactions, column by column; the columns hold what an `Interaction` does."""

    users: Sequence[str]
    items: Sequence[str]
    times: Sequence[int]
    labels: Sequence[float]
    texts: Sequence[tuple[str, ...]]

    @classmethod
    def of(cls, rows: Sequence[Interaction]) -> InteractionColumns:
        """Turns rows into columns."""
        return cls(*(list(column) for column in zip(*rows, strict=True))) if rows else cls(*([],) * 5)

    def at(self, stays: Sequence[bool]) -> InteractionColumns:
        """Leaves out the rows that do not stay."""
        kept: list[Any] = [list(compress(column, stays)) for column in self]
        return InteractionColumns(*kept)


class InteractionCheck:
    """Checks the cells of interactions, column by column in the config's order.

    Args:
      columns: of the table.
    """

    def __init__(self, columns: Mapping[str, Column]):
        names = list(columns)
        kinds = {type(column): name for name, column in columns.items()}
        self._cells = [_one_by_one(name, column) for name, column in columns.items()]
        self._many = [_many(column) for column in columns.values()]
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

    def columns(self, cells: Sequence[Sequence[str]]) -> InteractionColumns | None:
        """Checks the cells of many interactions, column by column; None where one of them may be odd."""
        columns: list[Any] = []
        for read, column in zip(self._many, cells, strict=True):
            columns.append(read(column))
            if columns[-1] is None:
                return None
        rows = len(cells[self._user])
        return InteractionColumns(
            columns[self._user],
            columns[self._item],
            [0] * rows if self._time is None else columns[self._time],
            [0.0] * rows if self._label is None else columns[self._label],
            list(zip(*(columns[place] for place in self._texts), strict=True))
            if self._texts
            else [()] * rows,
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
