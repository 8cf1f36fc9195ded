"""Ids of many rows, each distinct one held once: most of what is done with ids is then done with numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def objects(values: Iterable[Any]) -> np.ndarray:
    """Makes an array `[N]` of Python objects, which numpy would otherwise pad to one width or unfold."""
    return np.fromiter(values, object)


@dataclass(frozen=True)
class Ids:
    """A column of ids.

    Attributes:
      names: `[D]`, distinct and in rising order; rows that were left out may leave unused ones.
      codes: `[N]`, which of the names each row has.
    """

    names: np.ndarray
    codes: np.ndarray

    @classmethod
    def of(cls, values: Iterable[str]) -> Ids:
        """Makes a column of one id a row."""
        found: dict[str, int] = {}
        codes = [found.setdefault(value, len(found)) for value in values]
        return cls._ordered(list(found), np.array(codes, np.int32))

    @classmethod
    def joined(cls, columns: Sequence[Ids]) -> Ids:
        """Puts columns one after the other."""
        found: dict[str, int] = {}
        codes = [
            column.mapped(lambda name: found.setdefault(name, len(found))).astype(np.int32)
            for column in columns
        ]
        return cls._ordered(list(found), np.concatenate([np.empty(0, np.int32), *codes]))

    @classmethod
    def _ordered(cls, names: list[str], codes: np.ndarray) -> Ids:
        order = sorted(range(len(names)), key=names.__getitem__)
        places = np.empty(len(names), np.int32)
        places[order] = np.arange(len(names), dtype=np.int32)
        return cls(objects(names[number] for number in order), places[codes])

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def __getitem__(self, rows: np.ndarray | slice) -> Ids:
        """Chooses rows by a mask, by their numbers or by a slice."""
        return Ids(self.names, self.codes[rows])

    def tolist(self) -> list[str]:
        """The id of each row."""
        ids: list[str] = self.names[self.codes].tolist()
        return ids

    def compacted(self) -> Ids:
        """The same column without unused names."""
        used = np.zeros(len(self.names), bool)
        used[self.codes] = True
        if used.all():
            return self
        return Ids(self.names[used], (np.cumsum(used, dtype=np.int32) - np.int32(1))[self.codes])

    def mapped(self, function: Callable[[str], int]) -> np.ndarray:
        """Calls a function once for each name, and gives each row's result, `[N]`."""
        return np.fromiter(map(function, self.names), np.int64, len(self.names))[self.codes]

    def counts(self, rows: np.ndarray) -> dict[str, int]:
        """Counts how often each id stands in the rows of a mask; 0 for one that stands in others alone."""
        column = self.compacted()
        counted = np.bincount(column.codes[rows], minlength=len(column.names))
        return dict(zip(column.names.tolist(), counted.tolist(), strict=True))
