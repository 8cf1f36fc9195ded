"""Turns a raw record into checked values, or says why it is rejected."""

from __future__ import annotations

import csv
import html
import json
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from preprocessing.columns import (
    CategoricalColumn,
    Column,
    IdColumn,
    MultiColumn,
    NumericColumn,
    ReviewColumn,
    TextColumn,
    TimeColumn,
    VectorColumn,
)
from preprocessing.records import Record, cell_splitter, delimiter_of
from preprocessing.sources import Source, SourceFile

WHITESPACE = " \t\n\v\f\r"
"""What cells are stripped of: the same characters that `tf.strings.strip` takes off when serving."""

FLOAT32_MAX = 3.4028234663852886e38
LAST_SECOND = 253402300799
"""The end of the year 9999 in seconds since 1970."""


class RowError(Exception):
    """A row cannot be used.

    Attributes:
      reason: one line for people, with the value.
      kind: the reason without the value, to count by.
    """

    def __init__(self, reason: str, kind: str | None = None):
        super().__init__(reason)
        self.reason = reason
        self.kind = kind or reason


class RowReader:
    """Splits the records of one file into cells in the config's order of columns."""

    def __init__(self, source: Source, file: SourceFile):
        self._source = source
        self._width = len(file.header)
        self._is_csv = source.table.resolved_format in ("csv", "tsv")
        self._places = [file.header.index(name) for name in source.column_sources] if self._is_csv else []
        self._delimiter, self._quote = delimiter_of(source.table), source.table.quote
        self._split = cell_splitter(source.table)
        self._cells = self._csv_cells if self._is_csv else self._json_cells

    def cells(self, record: Record) -> list[str]:
        """Gives the raw cells of the columns that the config names.

        Raises:
          RowError: the record is not one row of this table.
        """
        if record.fault:
            raise RowError(record.fault, "encoding")
        return self._cells(record.raw)

    def columns(self, records: Sequence[Record]) -> Sequence[Sequence[str]] | None:
        """Gives the same cells of many records, column by column; None where one of them may be odd."""
        raws = [record.raw for record in records]
        if any([record.fault for record in records]):
            return None
        if not self._is_csv:
            return self._json_columns(raws)
        if self._quote is not None and any([self._quote in raw for raw in raws]):
            return None
        rows = [raw.split(self._delimiter) for raw in raws]
        if {*map(len, rows)} != {self._width}:
            return None
        columns = list(zip(*rows, strict=True))
        return [columns[place] for place in self._places]

    def _json_columns(self, raws: Sequence[str]) -> Sequence[Sequence[str]] | None:
        try:
            return list(zip(*map(self._json_cells, raws), strict=True))
        except RowError:
            return None

    def _csv_cells(self, raw: str) -> list[str]:
        try:
            cells = self._split(raw)
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise RowError("a quote is opened and never closed") from None
            raise RowError(f"the quotes are not right: {error}", "quotes") from None
        if len(cells) != self._width:
            raise RowError(f"{len(cells)} cells, the header has {self._width}", "number of cells")
        return [cells[place] for place in self._places]

    def _json_cells(self, raw: str) -> list[str]:
        try:
            row = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise RowError(f"not valid JSON: {error}", "JSON") from None
        if not isinstance(row, dict):
            raise RowError(f"a JSON object is needed, found {type(row).__name__}", "JSON")
        columns = self._source.columns.items()
        return [json_cell(name, column, row.get(column.source or name)) for name, column in columns]


def json_cell(name: str, column: Column, value: Any) -> str:
    """Writes a JSON value as the cell that a csv file would hold; null and NaN are an empty one.

    Raises:
      RowError: an object, a list in a column of one value, or text that is no Unicode.
    """
    if value is None or _is_nan(value):
        return ""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise RowError(f"{name} holds half of a surrogate pair, which is no character") from None
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # pandas turns whole numbers with gaps into floats; 5.0 must still meet the '5' of another table.
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and isinstance(column, MultiColumn):
        return column.separator.join(json_cell(name, TextColumn(kind="text"), part) for part in value)
    if isinstance(value, list) and isinstance(column, VectorColumn):
        # A vector that is not known is an empty cell; one with a gap is none.
        return " ".join(
            "nan" if _is_nan(part) else json_cell(name, NumericColumn(kind="numeric"), part) for part in value
        )
    raise RowError(f"{name} holds {'a list' if isinstance(value, list) else 'an object'}")


def _is_nan(value: Any) -> bool:
    # Python's json writes it so, for pandas' empty cells among others.
    return isinstance(value, float) and math.isnan(value)


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else cell[:59] + "…")


def _number(name: str, cell: str) -> float:
    try:
        # float() takes 1_000 for a number; tables do not mean that.
        value = float(cell) if "_" not in cell else None
    except ValueError:
        value = None
    if value is None:
        raise RowError(f"{name}: {_shown(cell)} is not a number", f"{name}: not a number")
    if math.isnan(value):
        raise RowError(f"{name}: NaN is not allowed")
    return value


def finite_number(name: str, cell: str) -> float:
    """Reads a number that fits into float32.

    Raises:
      RowError: it is no number, NaN, infinite or too large.
    """
    value = _number(name, cell)
    if abs(value) > FLOAT32_MAX:
        raise RowError(f"{name}: {_shown(cell)} is not a finite number", f"{name}: not a finite number")
    return value


def _one_line(name: str, cell: str) -> str:
    if "\n" in cell or "\r" in cell:
        raise RowError(f"{name} holds a line break")
    return cell


def id_cell(name: str, cell: str) -> str:
    """Checks an id: not empty and, since vocabularies hold one value a line, without a line break."""
    cell = cell.strip(WHITESPACE)
    if not cell:
        raise RowError(f"{name} is empty")
    return _one_line(name, cell)


def label_cell(name: str, cell: str) -> float:
    """Reads a label, which is never empty."""
    cell = cell.strip(WHITESPACE)
    if not cell:
        raise RowError(f"{name} is empty")
    return finite_number(name, cell)


def time_cell(name: str, column: TimeColumn, cell: str) -> int:
    """Reads a moment into milliseconds since 1970; an ISO date without a zone is taken as UTC."""
    cell = cell.strip(WHITESPACE)
    if not cell:
        raise RowError(f"{name} is empty")
    if column.unit == "iso":
        seconds = _iso_seconds(name, cell)
    else:
        seconds = _number(name, cell) / (1 if column.unit == "s" else 1000)
    if abs(seconds) > LAST_SECOND:
        hint = "; is it in milliseconds (unit: ms)?" if column.unit == "s" else ""
        raise RowError(
            f"{name}: {_shown(cell)} lies beyond the year 9999{hint}", f"{name}: beyond the year 9999"
        )
    return round(seconds * 1000)


def _iso_seconds(name: str, cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell.removesuffix("Z") + "+00:00" if cell.endswith("Z") else cell)
    except ValueError:
        message = f"{name}: {_shown(cell)} is not an ISO 8601 date"
        raise RowError(message, f"{name}: not an ISO 8601 date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def vector_cell(name: str, column: VectorColumn, cell: str) -> list[float]:
    """Reads the numbers of a vector; an empty cell is an unknown vector and gives an empty list."""
    values = [finite_number(name, part) for part in cell.replace(",", " ").split()]
    if values and len(values) != column.length:
        message = f"{name}: {len(values)} numbers, {column.length} are needed"
        raise RowError(message, f"{name}: number of numbers")
    return values


def multi_cell(column: MultiColumn, cell: str) -> list[str]:
    """Splits the values of one cell; empty ones are left out."""
    values = (value.strip(WHITESPACE) for value in cell.split(column.separator))
    return [value for value in values if value]


def text_cell(column: TextColumn, cell: str) -> str:
    """Strips a text, after its HTML entities were replaced if the column says so."""
    return (html.unescape(cell) if column.unescape_html else cell).strip(WHITESPACE)


def review_cell(column: ReviewColumn, cell: str) -> str:
    """Reads a text into one line, since several are told apart by their lines."""
    lines = (line.strip(WHITESPACE) for line in text_cell(column, cell).split(column.separator))
    return " ".join(line for line in lines if line)


def check_entity(source: Source, cells: list[str]) -> list[str]:
    """Checks the cells of one item or user and gives them stripped, in the config's order.

    Raises:
      RowError: at the first column that cannot be used.
    """
    return [
        entity_cell(name, column, cell)
        for (name, column), cell in zip(source.columns.items(), cells, strict=True)
    ]


def entity_cell(name: str, column: Column, cell: str) -> str:
    """Checks one cell of an item or user and gives it stripped.

    Raises:
      RowError: it is not what the column holds.
    """
    if isinstance(column, IdColumn):
        return id_cell(name, cell)
    if isinstance(column, TextColumn):
        return text_cell(column, cell)
    cell = cell.strip(WHITESPACE)
    if isinstance(column, NumericColumn) and cell:
        finite_number(name, cell)
    elif isinstance(column, VectorColumn):
        vector_cell(name, column, cell)
    elif isinstance(column, CategoricalColumn | MultiColumn):
        _one_line(name, cell)
    return cell
