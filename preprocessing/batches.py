"""Interactions on their way through Beam: columns of many rows at a time, packed into bytes.

One element a row would cost Beam more than the work itself, so elements are packed batches.
"""

from __future__ import annotations

import gc
import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from preprocessing.ids import Ids, objects

LINE_BITS = 40
"""A place is `file number << LINE_BITS | line`, so places sort as the rows stand in the input."""


def pack(value: Any) -> bytes:
    """Packs plain values and arrays."""
    return pickle.dumps(value, protocol=5)


def unpack(data: bytes) -> Any:
    """Gives back what `pack` took."""
    return pickle.loads(data)


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Keeps Python from looking for cycles while a block of rows, which are many objects, is made.

    There are none among them, but the search goes through all that was imported as well, again and again.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def place_of(file_number: int, line: int) -> int:
    """Where a row stands in its table, as one number."""
    return file_number << LINE_BITS | line


def partition_of(name: str, partitions: int) -> int:
    """Assigns an id to a partition, the same one on every machine."""
    return zlib.crc32(name.encode("utf-8")) % partitions


VALUES = ("times", "labels", "texts", "places")
"""The columns of a batch that are no ids."""


@dataclass(frozen=True)
class InteractionBatch:
    """Interactions as columns.

    Attributes:
      users: `[N]`.
      items: `[N]`.
      times: `[N]`, milliseconds since 1970; zeros without a time column.
      labels: `[N]`; zeros without a label column.
      texts: `[N]`, tuples of what was written, one text for each column of text.
      places: `[N]`, see `place_of`.
    """

    users: Ids
    items: Ids
    times: np.ndarray
    labels: np.ndarray
    texts: np.ndarray
    places: np.ndarray

    @classmethod
    def of_columns(
        cls,
        users: Sequence[str],
        items: Sequence[str],
        times: Sequence[int],
        labels: Sequence[float],
        texts: Sequence[tuple[str, ...]],
        places: Sequence[int],
    ) -> InteractionBatch:
        """Makes a batch of columns in plain Python."""
        return cls(
            Ids.of(users),
            Ids.of(items),
            np.array(times, np.int64),
            np.array(labels, np.float64),
            objects(texts),
            np.array(places, np.int64),
        )

    @classmethod
    def joined(cls, batches: Iterable[InteractionBatch]) -> InteractionBatch:
        """Puts batches one after the other."""
        listed = list(batches) or [cls.of_columns((), (), (), (), (), ())]
        return cls(
            Ids.joined([batch.users for batch in listed]),
            Ids.joined([batch.items for batch in listed]),
            *(np.concatenate([getattr(batch, name) for batch in listed]) for name in VALUES),
        )

    @classmethod
    def unpacked(cls, data: bytes) -> InteractionBatch:
        """Gives back what `packed` made."""
        users, items, *values = unpack(data)
        return cls(Ids(*users), Ids(*items), *values)

    def packed(self) -> bytes:
        """Packs the columns."""
        ids = (column.compacted() for column in (self.users, self.items))
        return pack(
            (
                *((column.names, column.codes) for column in ids),
                *(getattr(self, name) for name in VALUES),
            )
        )

    def __len__(self) -> int:
        return len(self.users)

    def at(self, rows: np.ndarray) -> InteractionBatch:
        """Chooses rows by a mask or by their numbers."""
        return InteractionBatch(*(getattr(self, field.name)[rows] for field in fields(self)))

    def without_texts(self) -> InteractionBatch:
        """The same interactions with nothing written."""
        return replace(self, texts=objects([()] * len(self)))

    def by_partition(self, partitions: int) -> Iterator[tuple[int, InteractionBatch]]:
        """Divides the rows by the partition of their user."""
        numbers = self.users.mapped(lambda user: partition_of(user, partitions))
        order = np.argsort(numbers, kind="stable")
        found, starts = np.unique(numbers[order], return_index=True)
        for number, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=False):
            yield number, self.at(rows)
