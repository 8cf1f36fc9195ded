"""How what is grouped comes from one step to the next: through files, or through the runner.

Beam's runner on one machine passes everything that is grouped through its own process and holds it there:
with ten million interactions that took as long as a quarter of the work itself, while the workers waited. In
files, the workers hand it to one another, and the runner sees where it stands.
"""

from __future__ import annotations

import io
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from preprocessing.batches import pack, unpack


class Shuffle(ABC):
    """Two halves that stand around each grouping; the workers hold it as well."""

    @abstractmethod
    def put(self, label: str, pairs: beam.PCollection) -> beam.PCollection:
        """Turns pairs (key, bytes) into pairs (key, piece), which are what the runner sees."""

    @abstractmethod
    def get(self, piece: bytes) -> bytes:
        """Gives back the bytes of a piece."""

    def get_all(self, group: tuple[Any, Any]) -> tuple[Any, list[bytes]]:
        """Gives back the bytes of each piece of a group."""
        return group[0], [self.get(piece) for piece in group[1]]


class RunnerShuffle(Shuffle):
    """Through the runner: for one with workers that share no files, which has a shuffle of its own."""

    def put(self, label: str, pairs: beam.PCollection) -> beam.PCollection:
        """Leaves the pairs as they are."""
        return pairs

    def get(self, piece: bytes) -> bytes:
        """Gives the piece, which is the bytes themselves."""
        return piece


class FileShuffle(Shuffle):
    """Through files.

    Args:
      folder: a path that every worker reaches.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def put(self, label: str, pairs: beam.PCollection) -> beam.PCollection:
        """Adds a step that writes the bytes."""
        return pairs | label >> beam.ParDo(_Write(self._folder))

    def get(self, piece: bytes) -> bytes:
        """Reads the bytes from the file."""
        name, start, length = unpack(piece)
        with (self._folder / name).open("rb") as stream:
            stream.seek(start)
            return stream.read(length)


class _Write(beam.DoFn):
    """Writes one file a bundle. A bundle that is tried again gets another one."""

    def __init__(self, folder: Path):
        self._folder = folder

    def start_bundle(self) -> None:
        self._stream: io.BufferedWriter | None = None

    def process(self, pair: tuple[Any, bytes]) -> Iterator[tuple[Any, bytes]]:
        if self._stream is None:
            self._name = uuid.uuid4().hex
            self._stream = (self._folder / self._name).open("xb")
        key, data = pair
        start = self._stream.tell()
        self._stream.write(data)
        self._stream.flush()  # it may be read before the bundle ends, where Beam fuses what reads it
        yield key, pack((self._name, start, len(data)))

    def finish_bundle(self) -> None:
        if self._stream is not None:
            self._stream.close()
