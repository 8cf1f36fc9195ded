"""Writes the files of `examples/`: shards of Examples, vocabularies, the quarantine and the summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from preprocessing.schema import PARTS, RESERVED, Part
from preprocessing.tfrecords import framed

QUARANTINE_FILE = "quarantine-00000-of-00001.jsonl"
SUMMARY_FILE = "summary.json"
"""What the workers counted; the main process turns it into statistics.json and schema.json."""


class Rejection(NamedTuple):
    """A row that goes to quarantine. Sorting puts rejections in the order of the input."""

    table: str
    file_number: int
    line: int
    file: str
    reason: str
    kind: str
    row: str


def shard_name(part: Part, shard: int, shards: int) -> str:
    """The file's name, such as `train-00000-of-00002.tfrecord`."""
    return f"{part}-{shard:05d}-of-{shards:05d}.tfrecord"


def shard_names(shards: int) -> dict[Part, tuple[str, ...]]:
    """All files of each part."""
    return {part: tuple(shard_name(part, shard, shards) for shard in range(shards)) for part in PARTS}


def shard_of(part: Part, index: int, shards: int) -> str:
    """The file that holds the Example of this index."""
    return shard_name(part, (index - RESERVED) % shards, shards)


def write_shard(root: str, name: str, examples: Iterable[tuple[int, int, bytes]]) -> int:
    """Writes one shard sorted by (index, start), and gives the number of its Examples."""
    ordered = sorted(examples)
    path = FileSystems.join(root, name)
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        for _, _, example in ordered:
            stream.write(framed(example))
    return len(ordered)


def write_text(root: str, name: str, lines: Iterable[str]) -> None:
    """Writes lines as UTF-8."""
    path = FileSystems.join(root, name)
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        for line in lines:
            stream.write(f"{line}\n".encode())


def write_quarantine(root: str, rejections: Iterable[Rejection]) -> list[dict[str, Any]]:
    """Writes the rejected rows in the order of the input.

    Returns:
      for each table and kind of reason: how many rows there are, and the first one's place and reason.
    """
    ordered = sorted(rejections)
    write_text(
        root,
        QUARANTINE_FILE,
        (
            json.dumps(
                {
                    "table": row.table,
                    "file": row.file,
                    "line": row.line,
                    "reason": row.reason,
                    "row": row.row,
                },
                ensure_ascii=False,
            )
            for row in ordered
        ),
    )
    counts = Counter((row.table, row.kind) for row in ordered)
    firsts = {(row.table, row.kind): row for row in reversed(ordered)}
    return [
        {"table": table, "kind": kind, "rows": rows, "example": _place_and_reason(firsts[table, kind])}
        for (table, kind), rows in sorted(counts.items())
    ]


def _place_and_reason(row: Rejection) -> str:
    return f"{row.file}:{row.line}: {row.reason}"


def write_summary(root: str, summary: Mapping[str, Any]) -> None:
    """Writes what the workers counted."""
    write_text(root, SUMMARY_FILE, [json.dumps(summary)])
