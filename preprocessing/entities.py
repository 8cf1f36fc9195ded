"""Items and users: their index, their attributes' vocabularies, and their Examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from preprocessing.columns import CategoricalColumn, Column, MultiColumn, NumericColumn, VectorColumn
from preprocessing.rows import multi_cell, vector_cell
from preprocessing.schema import RESERVED, UNKNOWN, Feature, Text
from preprocessing.text import Tokenizer, join_text, text_of

Row: TypeAlias = tuple[str, Sequence[str]]
"""An id and its checked cells, in the order of their columns."""

Vocabularies: TypeAlias = Mapping[str, Mapping[str, int]]
"""The index of each value, by column."""


def by_falling_count(counts: Mapping[str, int]) -> list[str]:
    """Sorts names by falling count, ties by name."""
    return sorted(counts, key=lambda name: (-counts[name], name))


def index_ids(counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Gives each id its index and count, in the order of the indices."""
    return {
        name: (number, counts[name]) for number, name in enumerate(by_falling_count(counts), start=RESERVED)
    }


def index_values(counts: Mapping[str, int]) -> dict[str, int]:
    """Gives each value of an attribute its index, in the order of the indices."""
    return {value: number for number, value in enumerate(by_falling_count(counts), start=RESERVED)}


def first_unseen(index: Mapping[str, tuple[int, int]]) -> int:
    """The first index without a training interaction."""
    return RESERVED + sum(count > 0 for _, count in index.values())


def value_columns(columns: Mapping[str, Column]) -> list[str]:
    """The columns that need a vocabulary."""
    return [name for name, column in columns.items() if isinstance(column, CategoricalColumn | MultiColumn)]


def count_values(columns: Mapping[str, Column], rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Counts the values of each column that needs a vocabulary."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in value_columns(columns)}
    for _, cells in rows:
        for (name, column), cell in zip(columns.items(), cells, strict=True):
            if name in counts:
                counts[name].update(_values(column, cell))
    return {name: dict(counter) for name, counter in counts.items()}


def count_filled(columns: Iterable[str], rows: Iterable[Row]) -> dict[str, int]:
    """Counts the rows in which each column is not empty."""
    counts = dict.fromkeys(columns, 0)
    for _, cells in rows:
        for name, cell in zip(counts, cells, strict=True):
            counts[name] += cell != ""
    return counts


def _values(column: Column, cell: str) -> list[str]:
    if isinstance(column, MultiColumn):
        return multi_cell(column, cell)
    return [cell] if cell else []


def vocabulary_file(entity: str, column: str | None = None) -> str:
    """Where the ids of `items` or `users`, or the values of one of their columns, are written."""
    return f"vocabulary-{entity}.{column}.txt" if column else f"vocabulary-{entity}.txt"


def features_of(entity: str, columns: Mapping[str, Column], sizes: Mapping[str, int]) -> tuple[Feature, ...]:
    """Describes attributes for the schema.

    Args:
      entity: `items` or `users`.
      columns: what the cells of one are.
      sizes: the number of values of each column that has a vocabulary.
    """
    features = []
    for name, column in columns.items():
        if isinstance(column, CategoricalColumn | MultiColumn):
            features.append(
                Feature(
                    name=name,
                    kind=column.kind,
                    vocabulary=vocabulary_file(entity, name),
                    size=sizes[name] + RESERVED,
                    separator=column.separator if isinstance(column, MultiColumn) else None,
                )
            )
        elif isinstance(column, NumericColumn):
            features.append(Feature(name=name, kind="numeric"))
        elif isinstance(column, VectorColumn):
            features.append(Feature(name=name, kind="vector", length=column.length))
    return tuple(features)


class EntityEncoder:
    """Turns rows of items or users into the features of their Examples.

    Args:
      columns: what the cells of a row are; none gives ids alone.
      display: the column that names an entity to people, if there is one.
      max_tokens: where a text is cut.
      tokenizer: needed when there is text.
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        display: str | None,
        max_tokens: int,
        tokenizer: Tokenizer | None,
    ):
        self._columns = columns
        self._text: Text | None = text_of(columns, max_tokens)
        self._display = display
        self._tokenizer = tokenizer

    def encode(
        self, rows: Sequence[Row], index: Mapping[str, tuple[int, int]], vocabularies: Vocabularies
    ) -> Iterator[dict[str, Any]]:
        """Yields each row's features: all of an item's, and a user's without the history."""
        cells = [dict(zip(self._columns, row[1], strict=True)) for row in rows]
        texts = (
            [join_text(self._text, [row[column.name] for column in self._text.columns]) for row in cells]
            if self._text
            else []
        )
        tokens = self._tokenizer(texts) if self._tokenizer else []
        for number, (name, _) in enumerate(rows):
            features: dict[str, Any] = {"index": [index[name][0]], "id": [name.encode("utf-8")]}
            if self._text:
                features |= {"text": [texts[number].encode("utf-8")], "tokens": tokens[number]}
            for column_name, column in self._columns.items():
                features |= self._attribute(column_name, column, cells[number][column_name], vocabularies)
            if self._display:
                features["display"] = [cells[number][self._display].encode("utf-8")]
            yield features

    def _attribute(self, name: str, column: Column, cell: str, vocabularies: Vocabularies) -> dict[str, Any]:
        if isinstance(column, CategoricalColumn | MultiColumn):
            return {
                f"feature/{name}": [vocabularies[name].get(value, UNKNOWN) for value in _values(column, cell)]
            }
        if isinstance(column, NumericColumn):
            return {f"feature/{name}": [float(cell)] if cell else []}
        if isinstance(column, VectorColumn):
            return {f"feature/{name}": vector_cell(name, column, cell)}
        return {}
