"""Finds a table's files and checks that they can be what the config says, before any work begins."""

from __future__ import annotations

import difflib
import gzip
import importlib.util
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing.assets import resolve_path
from preprocessing.columns import Column
from preprocessing.config import Table
from preprocessing.ranges import WHOLE, Range, divide, divides
from preprocessing.records import JSON_SAMPLE, Record, header_of, records_of
from preprocessing.schema import InputError

FAULTS = (OSError, EOFError, ValueError, zlib.error, pa.ArrowException)
"""What reading a damaged file of this machine raises; ValueError is that of a path with a null byte."""

EXTRAS = {
    "gs": ("google.cloud.storage", "gcp"),
    "s3": ("boto3", "aws"),
    "azfs": ("azure.storage.blob", "azure"),
    "hdfs": ("hdfs", "hadoop"),
}
"""By the scheme of a path: the module that reads it, and the extra of apache-beam that brings the module."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a table.

    Attributes:
      number: its place among the table's files, sorted by name.
      name: as the user would write it; never depends on the machine unless the config does.
      path: what to open.
      size: in bytes, packed.
      header: the columns' names (csv, tsv, parquet); empty for jsonl.
    """

    number: int
    name: str
    path: str
    size: int
    header: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A table whose files were found and checked."""

    name: str
    table: Table
    columns: Mapping[str, Column]
    files: tuple[SourceFile, ...]

    @property
    def column_sources(self) -> tuple[str, ...]:
        """The columns' names in the files, in the config's order."""
        return tuple(column.source or name for name, column in self.columns.items())


def find_source(name: str, table: Table, columns: Mapping[str, Column], base: Path) -> Source:
    """Finds a table's files and checks each one's beginning.

    Raises:
      InputError: no file, an empty one, a missing column, a header in another encoding, a file that
        is no parquet; one line a problem.
    """
    where = f"{name}: {table.path}"
    try:
        found = _match(table.path, resolve_path(table.path, base))
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    if not found:
        hint = "the pattern matches no file" if _is_pattern(table.path) else "no such file"
        raise InputError(f"{where}: {hint}")
    sources = tuple(column.source or column_name for column_name, column in columns.items())
    files: list[SourceFile] = []
    problems = []
    for file_name, path, size in found:
        try:
            header = _check_file(path, table, sources)
        except InputError as error:
            problems.append(f"{name}: {file_name}: {error}")
        else:
            if header is not None:
                files.append(SourceFile(len(files), file_name, path, size, header))
    if problems:
        raise InputError("\n".join(problems))
    if not files:
        raise InputError(f"{where}: " + ("the file is empty" if len(found) == 1 else "all files are empty"))
    return Source(name, table, columns, tuple(files))


def find_ranges(source: Source, file: SourceFile) -> Iterator[Range]:
    """Divides one file into ranges that can be read one by one, the whole file where that cannot be.

    Raises:
      InputError: the file cannot be read.
    """
    if not divides(source.table, file.path):
        yield WHOLE
        return
    with _told(file.path, lambda: f"{source.name}: {file.name}: cannot be read"), _open(file.path) as stream:
        yield from divide(stream, source.table)


def read_records(source: Source, file: SourceFile, part: Range = WHOLE) -> Iterator[Record]:
    """Reads the rows of one file, or of a range of it, in order; blank lines are no rows.

    Raises:
      InputError: the file breaks off or is damaged inside.
    """
    line = part.line - 1
    place = f"{source.name}: {file.name}"
    with _told(file.path, lambda: f"{place}: cannot be read on after row {line}"), _open(file.path) as stream:
        stream.seek(part.start)
        for record in records_of(stream, part, source.table, source.column_sources, len(file.header)):
            line = record.line
            yield record


def _is_pattern(path: str) -> bool:
    return re.search(r"[*?\[]", path) is not None


def _escape(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


def _match(reference: str, resolved: str) -> list[tuple[str, str, int]]:
    """Gives (name, path, size) of the files that a path or pattern names, sorted by name."""
    if _is_remote(resolved):
        _check_extra(reference, resolved)
        # Some of Beam's file systems need options, which otherwise are set once a pipeline is made.
        FileSystems.set_options(PipelineOptions([]))
    with _told(resolved, lambda: f"{reference}: cannot be opened"):
        if not _is_pattern(reference) or (FileSystems.exists(resolved) and Path(resolved).is_file()):
            if not FileSystems.exists(resolved):
                return []
            if not _is_remote(resolved) and Path(resolved).is_dir():
                raise InputError(
                    f"{reference}: this is a folder; name its files, such as {reference.rstrip('/')}/*.csv"
                )
            size = FileSystems.match([_escape(resolved)])[0].metadata_list[0].size_in_bytes
            return [(reference, resolved, size)]
        # The part before the first wildcard is the same in every name; what comes before it on this
        # machine is replaced by what the config says.
        literal = re.split(r"[*?\[]", reference, maxsplit=1)[0]
        cut = len(resolved) - (len(reference) - len(literal))
        matches = FileSystems.match([_escape(resolved[:cut]) + resolved[cut:]])[0].metadata_list
    return sorted((literal + match.path[cut:], match.path, match.size_in_bytes) for match in matches)


def _is_remote(path: str) -> bool:
    return FileSystems.get_scheme(path) is not None


def _check_extra(reference: str, path: str) -> None:
    """Refuses a path whose file system is not installed."""
    scheme = FileSystems.get_scheme(path)
    module, extra = EXTRAS.get(scheme, (None, None))
    if module is None:
        return
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # not even the package that the module would be in
        found = None
    if found is None:
        raise InputError(
            f"{reference}: cannot be opened: {scheme}:// needs {module}; "
            f"`pip install 'apache-beam[{extra}]'` brings it"
        )


@contextmanager
def _told(path: str, what: Callable[[], str]) -> Iterator[None]:
    """Tells what a file system raises as an InputError; a remote one's client may raise anything."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not _is_remote(path) and not isinstance(error, FAULTS):
            raise
        raise InputError(f"{what()}: {' '.join(str(error).split()) or type(error).__name__}") from None


@contextmanager
def _open(path: str) -> Iterator[Any]:
    # Beam's own unpacking takes a cut gzip file for a whole one, so gzip is read by Python's module.
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        if path.endswith(".gz"):
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield unpacked
        else:
            yield stream


def _check_file(path: str, table: Table, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
    """Gives the header (empty for jsonl), or None for an empty file."""
    with _told(path, lambda: "cannot be read"), _open(path) as stream:
        found = header_of(stream, table)
    if found is None:
        return None
    is_json = table.resolved_format == "jsonl"
    _check_columns(found, wanted, f" in its first {JSON_SAMPLE} rows" if is_json else "")
    return () if is_json else found


def _check_columns(found: tuple[str, ...], wanted: tuple[str, ...], where: str) -> None:
    """Refuses a header in which a wanted column is missing or stands twice."""
    problems = []
    for column in wanted:
        if column not in found:
            close = difflib.get_close_matches(column, found, n=1)
            problems.append(f"no column {column!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
        elif found.count(column) > 1:
            problems.append(f"the column {column!r} stands in the header {found.count(column)} times")
    if not problems:
        return
    listed = ", ".join(map(repr, found)) or "none"
    hint = "; is `delimiter:` right?" if len(found) == 1 and re.search(r"[\t,;|]", found[0]) else ""
    raise InputError(f"{'; '.join(problems)}; the columns{where} are: {listed}{hint}")
