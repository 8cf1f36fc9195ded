"""Reads a config's items as they are written, and what can be asked about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from preprocessing.columns import CategoricalColumn, Column, MultiColumn, TextColumn
from preprocessing.rows import RowError, RowReader, check_entity, multi_cell
from preprocessing.schema import InputError
from preprocessing.sources import Source, read_records

SHORTEST_QUOTED = 6
"""Words that a sentence needs to be quoted."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_NOT_QUOTED = re.compile(r"[^\w' -]")


@dataclass(frozen=True)
class Item:
    """One row of the items.

    Attributes:
      name: its id.
      cells: by column, stripped.
      values: of each categorical or multiple column, as they are written.
    """

    name: str
    cells: dict[str, str]
    values: dict[str, tuple[str, ...]]

    @property
    def attributes(self) -> frozenset[str]:
        """All values whatever their column, so that they can be compared."""
        return frozenset(value.casefold() for values in self.values.values() for value in values)


def read_items(source: Source) -> dict[str, Item]:
    """Reads the items by id; rows that preprocessing refuses are left out."""
    items = {}
    for cells in read_rows(source):
        try:
            row = dict(zip(source.columns, check_entity(source, cells), strict=True))
        except RowError:
            continue
        values = {name: _values(column, row[name]) for name, column in source.columns.items()}
        item = Item(row["item_id"], row, {name: found for name, found in values.items() if found})
        items[item.name] = item
    return items


def read_rows(source: Source) -> Iterator[list[str]]:
    """Reads the raw cells of a table, in the config's order; what is no row is left out."""
    for file in source.files:
        reader = RowReader(source, file)
        for record in read_records(source, file):
            try:
                yield reader.cells(record)
            except RowError:
                continue


def longest_text(source: Source, items: dict[str, Item]) -> str:
    """The column whose texts are longest altogether.

    Raises:
      InputError: no column is text.
    """
    columns = [name for name, column in source.columns.items() if isinstance(column, TextColumn)]
    if not columns:
        raise InputError("items: no column is of kind text; queries quote one, so one is needed")
    return max(columns, key=lambda name: sum(len(item.cells[name]) for item in items.values()))


def sentences(text: str) -> list[str]:
    """The sentences of a text as they are written."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]


def quoted_words(sentence: str) -> list[str]:
    """The words of a sentence without the punctuation between them."""
    return [word for word in _NOT_QUOTED.sub(" ", sentence).split() if any(map(str.isalnum, word))]


def _values(column: Column, cell: str) -> tuple[str, ...]:
    if isinstance(column, MultiColumn):
        return tuple(multi_cell(column, cell))
    return (cell,) if isinstance(column, CategoricalColumn) and cell else ()
