"""Reads items that are to join a model's catalogue, all of them or none."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preprocessing.columns import (
    CategoricalColumn,
    Column,
    IdColumn,
    MultiColumn,
    NumericColumn,
    TextColumn,
    VectorColumn,
)
from preprocessing.lines import Line, filled, read_lines
from preprocessing.rows import RowError, entity_cell, json_cell
from preprocessing.schema import Entity, Feature, InputError

SHOWN = 20
"""So many rows that cannot be used are told one by one."""


@dataclass(frozen=True)
class NewItems:
    """Checked rows.

    Attributes:
      ids, titles: `[N]`; a title is the id where there is no other.
      cells: the raw columns that the model reads, by name, each `[N]`.
    """

    ids: list[str]
    titles: list[str]
    cells: dict[str, list[str]]


def read_new_items(path: Path, entity: Entity, known: Collection[str]) -> NewItems:
    """Reads JSON objects, one a line, whose keys are the columns that the model was trained with.

    A column that is left out is taken for one that is not known.

    Args:
      path: of the file, UTF-8.
      entity: the items of the model's schema.
      known: ids that the catalogue has.

    Raises:
      InputError: there is no such file, it has no row, or rows cannot be used; each is told with its line.
    """
    columns = _columns(entity)
    rows: dict[str, dict[str, str]] = {}
    faults = []
    for line in _lines(path):
        try:
            cells = _checked(line, columns, entity)
            item = cells[entity.id_column]
            if item in known:
                raise RowError(
                    f"{entity.id_column}: the catalogue already has {item!r}; give new items alone"
                )
            if item in rows:
                raise RowError(f"{entity.id_column}: {item!r} stands on a line before; give each item once")
            rows[item] = cells
        except RowError as error:
            faults.append(f"{path}:{line.number}: {error.reason}")
    if faults:
        more = [f"{len(faults) - SHOWN:,} more rows cannot be used"] if len(faults) > SHOWN else []
        raise InputError("\n".join(faults[:SHOWN] + more))
    if not rows:
        raise InputError(f"{path}: no row; JSON objects are needed, one a line, of {', '.join(columns)}")
    return NewItems(
        ids=list(rows),
        titles=[(entity.display and cells[entity.display]) or item for item, cells in rows.items()],
        cells={name: [cells[name] for cells in rows.values()] for name in entity.columns},
    )


def _lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as stream:
            yield from filled(read_lines(stream, "utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; a file of JSON objects, one a line, is needed") from None


def _checked(line: Line, columns: Mapping[str, Column], entity: Entity) -> dict[str, str]:
    if line.fault:
        raise RowError(line.fault.partition(";")[0])  # what follows is advice for tables of a config
    cells = _cells(line.text, columns)
    if not any(cells[name] for name in entity.columns):
        needed = ", ".join(entity.columns)
        raise RowError(f"nothing is said of {cells[entity.id_column]!r}; at least one of {needed} is needed")
    return cells


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
