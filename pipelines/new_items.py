"""Reads items that are to join a model's catalogue, and says which rows cannot."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from preprocessing.config import (
    CategoricalColumn,
    Column,
    IdColumn,
    MultiColumn,
    NumericColumn,
    TextColumn,
    VectorColumn,
)
from preprocessing.lines import filled, read_lines
from preprocessing.rows import RowError, entity_cell, json_cell
from preprocessing.schema import Entity, Feature


class Rejected(NamedTuple):
    """A row that cannot be used, and why."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass
class NewItems:
    """Checked rows.

    Attributes:
      ids, titles: `[N]`; a title is the id where there is no other.
      cells: the raw columns that the model reads, by name, each `[N]`.
      rejected: the other rows.
    """

    ids: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    cells: dict[str, list[str]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


def read_new_items(path: Path, entity: Entity, known: Collection[str]) -> NewItems:
    """Reads JSON objects, one a line, whose keys are the columns that the model was trained with.

    A column that is left out is taken for one that is not known.

    Args:
      path: of the file, UTF-8.
      entity: the items of the model's schema.
      known: ids that the catalogue has.
    """
    columns = _columns(entity)
    items = NewItems(cells={name: [] for name in entity.columns})
    taken = set(known)
    with path.open("rb") as stream:
        for line in filled(read_lines(stream, "utf-8")):
            try:
                if line.fault:
                    raise RowError(line.fault)
                cells = _cells(line.text, columns)
                item = cells[entity.id_column]
                if item in taken:
                    raise RowError(
                        f"{entity.id_column}: the catalogue already has {item!r}"
                        if item in known
                        else f"{entity.id_column}: {item!r} stands on a line before"
                    )
                if not any(cells[name] for name in entity.columns):
                    raise RowError(
                        f"nothing is said of {item!r}; at least one of {', '.join(entity.columns)} is needed"
                    )
            except RowError as error:
                items.rejected.append(Rejected(path, line.number, error.reason))
                continue
            taken.add(item)
            items.ids.append(item)
            items.titles.append((entity.display and cells[entity.display]) or item)
            for name, column in items.cells.items():
                column.append(cells[name])
    return items


def _cells(text: str, columns: Mapping[str, Column]) -> dict[str, str]:
    try:
        row: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError(f"not valid JSON: {error}") from None
    if not isinstance(row, dict):
        raise RowError(f"a JSON object is needed, found {type(row).__name__}")
    unknown = sorted(set(row) - set(columns))
    if unknown:
        raise RowError(
            f"unknown column {', '.join(map(repr, unknown))}; the model's columns are: {', '.join(columns)}"
        )
    return {
        name: entity_cell(name, column, json_cell(name, column, row.get(name)))
        for name, column in columns.items()
    }


def _columns(entity: Entity) -> dict[str, Column]:
    """The columns of an item as preprocessing knows them, the id and what it is called included."""
    columns: dict[str, Column] = {entity.id_column: IdColumn(kind="id")}
    if entity.display:
        columns[entity.display] = TextColumn(kind="text")
    for part in entity.text.columns if entity.text else ():
        columns[part.name] = TextColumn(kind="text")
    return columns | {feature.name: _column(feature) for feature in entity.features}


def _column(feature: Feature) -> Column:
    if feature.kind == "categorical":
        return CategoricalColumn(kind="categorical")
    if feature.kind == "multi":
        return MultiColumn(kind="multi", separator=feature.separator or "|")
    if feature.kind == "numeric":
        return NumericColumn(kind="numeric")
    return VectorColumn(kind="vector", length=feature.length)
