"""The Beam DoFns of the beginning: they read blocks of raw rows and keep those that can be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from preprocessing.batches import (
    InteractionBatch,
    pack,
    partition_of,
    place_of,
    unpack,
    without_cycle_search,
)
from preprocessing.entities import Row
from preprocessing.interactions import InteractionCheck, InteractionColumns
from preprocessing.ranges import Range
from preprocessing.records import Record
from preprocessing.rows import RowError, RowReader, check_entity
from preprocessing.sources import Source, SourceFile, find_ranges, read_records
from preprocessing.write import Rejection

BLOCK_ROWS = 4096
BLOCK_CHARACTERS = 2**20
"""A block of raw rows that are no range of a file ends at whichever comes first."""

CHUNK_ROWS = 128
"""So many interactions are checked together: few, since an odd one has all of them checked one by one."""

COUNTS, REJECTED = "counts", "rejected"
"""Side outputs."""

UNKNOWN_ITEM = "item_id is not in the items table"


def count(table: str, what: str, name: str, rows: int) -> TaggedOutput:
    """Reports rows of a table: (table, read | kept | filtered, by which rule, how many)."""
    return TaggedOutput(COUNTS, (table, what, name, rows))


class FindBlocks(beam.DoFn):
    """Divides the file of a number into blocks: (file number, packed range or packed records)."""

    def __init__(self, source: Source):
        self._source = source

    def process(self, file_number: int) -> Iterator[Any]:
        """Yields ranges, which are read where they are checked.

        What cannot be divided further is read here, by one worker; no more than a block of it is held.
        """
        file = self._source.files[file_number]
        for part in find_ranges(self._source, file):
            if part.end is not None:
                yield file_number, pack(part)
            else:
                for block in _blocks(read_records(self._source, file, part)):
                    yield file_number, pack(block)
        yield count(self._source.name, "read", "", 0)  # so that a file without rows is counted as well


def _blocks(records: Iterable[Record]) -> Iterator[list[Record]]:
    block: list[Record] = []
    characters = 0
    for record in records:
        block.append(record)
        characters += len(record.raw)
        if len(block) == BLOCK_ROWS or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


class CheckRows(beam.DoFn):
    """Checks a block's rows one by one and sends those that are rejected aside."""

    def __init__(self, source: Source):
        self._source = source

    def _records(self, block: tuple[int, bytes]) -> list[Record]:
        found = unpack(block[1])
        if isinstance(found, Range):
            return list(read_records(self._source, self._source.files[block[0]], found))
        records: list[Record] = found
        return records

    def _read(self, records: list[Record]) -> TaggedOutput:
        return count(self._source.name, "read", "", len(records))

    def _checked(
        self, file_number: int, records: list[Record], rejections: list[Rejection], check: Any
    ) -> Iterator[tuple[Record, Any]]:
        file = self._source.files[file_number]
        reader = RowReader(self._source, file)
        for record in records:
            try:
                yield record, check(reader.cells(record))
            except RowError as error:
                rejections.append(rejection(self._source, file, record.line, record.raw, error))


def rejection(source: Source, file: SourceFile, line: int, raw: str, error: RowError) -> Rejection:
    """Writes down why a row is rejected."""
    return Rejection(source.name, file.number, line, file.name, error.reason, error.kind, raw)


class CheckInteractions(CheckRows):
    """Turns blocks of raw interactions into packed batches."""

    def __init__(self, source: Source, minimum_label: float | None):
        super().__init__(source)
        self._minimum_label = minimum_label

    def setup(self) -> None:
        """Makes the check once for all blocks."""
        self._check = InteractionCheck(self._source.columns)

    def process(
        self, block: tuple[int, bytes], known_items: Mapping[str, Any] | None = None
    ) -> Iterator[Any]:
        """Yields one batch a block; `known_items` are the ids of the items table, if there is one."""
        with without_cycle_search():
            batch, rejections, low, read = self._checked_batch(block, known_items)
        yield count(self._source.name, "read", "", read)
        yield batch
        if rejections:
            yield TaggedOutput(REJECTED, pack(rejections))
        if low:
            yield count(self._source.name, "filtered", "minimum_label", low)

    def _checked_batch(
        self, block: tuple[int, bytes], known_items: Mapping[str, Any] | None
    ) -> tuple[bytes, list[Rejection], int, int]:
        """Gives the packed batch, the rejected rows, how many labels were too low and rows were read."""
        file, records = self._source.files[block[0]], self._records(block)
        reader = RowReader(self._source, file)
        rejections: list[Rejection] = []
        columns: tuple[list[Any], ...] = ([], [], [], [], [], [])
        low = 0
        for start in range(0, len(records), CHUNK_ROWS):
            chunk, rows = self._chunk(file, reader, records[start : start + CHUNK_ROWS], rejections)
            if known_items is not None:
                known = [item in known_items for item in rows.items]
                for record, item, stays in zip(chunk, rows.items, known, strict=True):
                    if not stays:
                        error = RowError(f"item_id {item!r} is not in the items table", UNKNOWN_ITEM)
                        rejections.append(rejection(self._source, file, record.line, record.raw, error))
                chunk, rows = list(compress(chunk, known)), rows.at(known)
            if self._minimum_label is not None:
                enough = [label >= self._minimum_label for label in rows.labels]
                low += len(enough) - sum(enough)
                chunk, rows = list(compress(chunk, enough)), rows.at(enough)
            places = [place_of(file.number, record.line) for record in chunk]
            for column, values in zip(columns, (*rows, places), strict=True):
                column.extend(values)
        return InteractionBatch.of_columns(*columns).packed(), rejections, low, len(records)

    def _chunk(
        self, file: SourceFile, reader: RowReader, records: list[Record], rejections: list[Rejection]
    ) -> tuple[list[Record], InteractionColumns]:
        """Checks rows together or, where one of them is odd, one by one; gives the good ones."""
        cells = reader.columns(records)
        columns = None if cells is None else self._check.columns(cells)
        if columns is not None:
            return records, columns
        checked = list(self._checked(file.number, records, rejections, self._check))
        return [record for record, _ in checked], InteractionColumns.of([row for _, row in checked])


class CheckEntities(CheckRows):
    """Turns blocks of raw items or users into (partition, packed rows with their places)."""

    def __init__(self, source: Source, partitions: int):
        super().__init__(source)
        self._partitions = partitions
        self._id_place = list(source.columns).index(f"{source.name.removesuffix('s')}_id")

    def process(self, block: tuple[int, bytes]) -> Iterator[Any]:
        """Yields each partition's rows: (id, file number, line, cells, raw row)."""
        records = self._records(block)
        yield self._read(records)
        rejections: list[Rejection] = []
        partitions = defaultdict(list)
        for record, cells in self._checked(
            block[0], records, rejections, lambda cells: check_entity(self._source, cells)
        ):
            name = cells[self._id_place]
            partitions[partition_of(name, self._partitions)].append(
                (name, block[0], record.line, cells, record.raw)
            )
        for partition, rows in partitions.items():
            yield partition, pack(rows)
        if rejections:
            yield TaggedOutput(REJECTED, pack(rejections))


class DropDuplicates(beam.DoFn):
    """Keeps the first row of each id, gives (partition, packed rows) sorted by id."""

    def __init__(self, source: Source):
        self._source = source

    def process(self, group: tuple[int, Iterable[bytes]]) -> Iterator[Any]:
        """Sends every further row of an id to quarantine, with the place of the first."""
        partition, chunks = group
        firsts: dict[str, tuple[int, int]] = {}
        kept: list[Row] = []
        rejections = []
        for name, number, line, cells, raw in sorted(row for chunk in chunks for row in unpack(chunk)):
            if name not in firsts:
                firsts[name] = number, line
                kept.append((name, cells))
            else:
                first_number, first_line = firsts[name]
                place = f"{self._source.files[first_number].name}:{first_line}"
                error = RowError(f"duplicate of {place}", "duplicate")
                rejections.append(rejection(self._source, self._source.files[number], line, raw, error))
        yield partition, pack(kept)
        if rejections:
            yield TaggedOutput(REJECTED, pack(rejections))
