"""Divides the bytes of a table's file into raw records, and a csv record into cells."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.config import Table
from preprocessing.lines import Line, filled, is_blank, read_lines
from preprocessing.ranges import WHOLE, Range, range_lines
from preprocessing.schema import InputError

JSON_SAMPLE = 1000
"""So many rows of a jsonl file are looked through for the columns, since it has no header."""


class Record(NamedTuple):
    """One raw row: a csv record, a JSON object, or a parquet row written as JSON.

    `line` counts from 1 (for parquet: rows); `fault` says why the row cannot even be split into
    cells, and is empty for a good one.
    """

    line: int
    raw: str
    fault: str


def records_of(
    stream: IO[bytes], part: Range, table: Table, columns: tuple[str, ...], width: int
) -> Iterator[Record]:
    """Reads the rows of a part of a file in order; blank lines are no rows.

    Args:
      stream: the unpacked file, at the beginning of the part.
      part: what to read.
      table: how it is written.
      columns: those to read of a parquet file.
      width: the number of cells of a csv or tsv record.
    """
    if table.resolved_format == "parquet":
        return _parquet_records(stream, columns)
    lines = range_lines(stream, part, table.encoding)
    if table.resolved_format == "jsonl" or part.end is not None:  # a range with an end holds no quotes
        return (Record(*line) for line in filled(lines))
    if table.header is None and part == WHOLE:
        next(filled(lines))
    return _csv_records(lines, table, width)


def header_of(stream: IO[bytes], table: Table) -> tuple[str, ...] | None:
    """Gives a file's columns (for jsonl, those of its first rows), or None for an empty file.

    Raises:
      InputError: the header cannot be read.
    """
    if table.resolved_format == "parquet":
        return tuple(_parquet(stream).schema_arrow.names)
    lines = filled(read_lines(stream, table.encoding))
    first = next(lines, None)
    if first is None:
        return None
    if table.resolved_format == "jsonl":
        return _json_columns(itertools.chain([first], lines))
    return table.header if table.header is not None else _csv_header(first, table)


def delimiter_of(table: Table) -> str:
    """What stands between two cells of a csv or tsv table."""
    return table.delimiter or ("\t" if table.resolved_format == "tsv" else ",")


def cell_splitter(table: Table) -> Callable[[str], list[str]]:
    """Gives the function that splits a csv or tsv record into its cells; csv.Error is what it raises."""
    delimiter, quote = delimiter_of(table), table.quote

    def split(raw: str) -> list[str]:
        if quote is None or quote not in raw:
            return raw.split(delimiter)
        return next(_csv_reader(iter([raw]), table), [])

    return split


def _csv_reader(lines: Iterator[str], table: Table) -> Any:
    return csv.reader(lines, delimiter=delimiter_of(table), quotechar=table.quote, strict=True)


def _csv_header(line: Line, table: Table) -> tuple[str, ...]:
    if line.fault:
        raise InputError(f"line {line.number} (the header): {line.fault}")
    try:
        return tuple(cell.strip() for cell in cell_splitter(table)(line.text))
    except csv.Error as error:
        raise InputError(f"line {line.number} (the header): {error}") from None


def _json_columns(lines: Iterator[Line]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for line in itertools.islice(lines, JSON_SAMPLE):
        try:
            row = json.loads(line.text)
        except (ValueError, RecursionError):
            continue  # counted as a rejected row later on
        if isinstance(row, dict):
            names.update(dict.fromkeys(row))
    return tuple(names)


def _csv_records(lines: Iterator[Line], table: Table, width: int) -> Iterator[Record]:
    """Joins the lines of a csv or tsv file into records, where quotes hold line breaks.

    A quote that is never closed takes one line with it, not the rest of the file: when the lines that
    it would join are no proper record, the first stands alone and reading goes on after it.
    """
    quote, waiting = table.quote, list[Line]()
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        if line.fault or quote is None or quote not in line.text:
            if not is_blank(line):
                yield Record(*line)
            continue
        taken = [line]
        if _is_record(_more_lines(taken, waiting, lines), table, width):
            yield Record(line.number, "\n".join(part.text for part in taken), "")
        else:
            waiting.extend(reversed(taken[1:]))
            yield Record(*line)


def _more_lines(taken: list[Line], waiting: list[Line], lines: Iterator[Line]) -> Iterator[str]:
    """Yields the first taken line and then, while asked, further ones, which it adds to `taken`."""
    yield taken[0].text + "\n"
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        taken.append(line)
        if line.fault:
            return
        yield line.text + "\n"


def _is_record(lines: Iterator[str], table: Table, width: int) -> bool:
    # Python's reader takes as many lines as the record needs; its field limit (128 KiB) bounds how
    # far a quote that is never closed is followed.
    try:
        return len(next(_csv_reader(lines, table))) == width
    except csv.Error:
        return False


def _parquet(stream: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"not a whole parquet file: {' '.join(str(error).split())}") from None


def _parquet_records(stream: Any, columns: tuple[str, ...]) -> Iterator[Record]:
    line = 0
    for batch in _parquet(stream).iter_batches(batch_size=4096, columns=list(dict.fromkeys(columns))):
        arrays = [_plain(array) for array in batch.columns]
        names = batch.schema.names
        for values in zip(*(array.to_pylist() for array in arrays), strict=True):
            line += 1
            yield Record(
                line,
                json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False, default=_json_value),
                "",
            )


def _plain(array: pa.Array) -> pa.Array:
    # Python's datetime has no nanoseconds.
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return array.cast(pa.timestamp("us", tz=array.type.tz), safe=False)
    return array


def _json_value(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)
