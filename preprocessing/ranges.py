"""Divides a text file into ranges of whole lines, so that all workers read a part of it."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import IO, NamedTuple

from preprocessing.config import Table
from preprocessing.lines import Line, is_blank, read_lines, utf8_lines

RANGE_BYTES = 2**20


class Range(NamedTuple):
    """Whole lines of a file: bytes `start` to `end`, to the file's end without one.

    `line` is the number of the first of them, counted from 1.
    """

    start: int
    end: int | None
    line: int


WHOLE = Range(0, None, 1)


def divides(table: Table, path: str) -> bool:
    """Whether the file's bytes show where its lines begin."""
    return (
        table.resolved_format != "parquet"
        and not path.endswith(".gz")
        and codecs.lookup(table.encoding).name in ("utf-8", "utf-8-sig")
    )


def divide(stream: IO[bytes], table: Table) -> Iterator[Range]:
    """Finds the ranges of a file that divides, without its header line.

    A quoted cell may hold line breaks, so from the first range with a quote in it the rest of the file is
    one range, for one worker. Finding the ranges takes as long as reading the bytes does, a small part of
    what it takes to make records of them.
    """
    is_csv = table.resolved_format in ("csv", "tsv")
    quote = table.quote.encode() if is_csv and table.quote is not None else None
    start, line = _after_header(stream) if is_csv and table.header is None else (0, 1)
    while data := stream.read(RANGE_BYTES):
        data += stream.readline()
        if quote is not None and quote in data:
            yield Range(start, None, line)
            return
        end = start + len(data)
        yield Range(start, end, line)
        start, line = end, line + data.count(b"\n")


def range_lines(stream: IO[bytes], part: Range, encoding: str) -> Iterator[Line]:
    """Reads the lines of a range; the stream begins where the range does, and need not end there."""
    if part == WHOLE:
        return read_lines(stream, encoding)
    if part.end is None:
        return utf8_lines(stream, part.line)
    return utf8_lines(io.BytesIO(stream.read(part.end - part.start)), part.line)


def _after_header(stream: IO[bytes]) -> tuple[int, int]:
    """Reads the header, the first line that is not blank; gives the place and the number of the next."""
    place, number = 0, 1
    while data := stream.readline():
        header = next(utf8_lines([data], number))
        place, number = place + len(data), number + 1
        if not is_blank(header):
            break
    return place, number
