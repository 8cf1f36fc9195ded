"""Reads a split's examples into plain arrays: what peers are fitted on, and what everybody is judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from preprocessing.schema import Entity, InputError, Schema, read_vocabulary
from preprocessing.schema.examples import read_batches
from trainer.dataset import read_cuts

Indices = npt.NDArray[np.int64]
HeldOut = Literal["validation", "test"]


@dataclass(frozen=True)
class Interactions:
    """Interactions that something is fitted to, a user's oldest first.

    Attributes:
      user, item: `[I]` indices.
      label: `[I]`, or None when the data set has no labels.
      time: `[I]` in milliseconds since 1970, or None when the data set has no times.
    """

    user: Indices
    item: Indices
    label: np.ndarray | None
    time: Indices | None = None

    def matrix(self, users: int, items: int) -> sp.csr_matrix:
        """The binary user-item matrix `[U, N]`."""
        matrix = sp.csr_matrix((np.ones(len(self.user), np.float32), (self.user, self.item)), (users, items))
        matrix.data[:] = 1  # what somebody had twice was summed
        return matrix

    def item_counts(self, items: int) -> Indices:
        """The number of interactions of each item `[N]`."""
        return np.bincount(self.item, minlength=items)


@dataclass(frozen=True)
class Cases:
    """The held-out targets of a part, each case one user at one moment.

    An item is a target once, with the newest label, and not when it is in the history already.

    Attributes:
      user: `[C]` indices.
      history: for each case the items before the cut, oldest first.
      target, case: `[T]`, the held-out items and the number of the case that each belongs to, rising.
      label: `[T]`, or None when the data set has no labels.
      repeats: how many held-out interactions are no target for that reason.
    """

    user: Indices
    history: tuple[Indices, ...]
    target: Indices
    case: Indices
    label: np.ndarray | None
    repeats: int = 0

    def __len__(self) -> int:
        return len(self.user)

    def batches(self, size: int) -> Iterator[tuple[slice, slice]]:
        """Slices of up to `size` cases, each with the slice of the targets that belong to them."""
        for begin in range(0, len(self), size):
            end = min(begin + size, len(self))
            first, last = np.searchsorted(self.case, [begin, end])
            yield slice(begin, end), slice(int(first), int(last))


def history_matrix(histories: Sequence[Indices], items: int) -> sp.csr_matrix:
    """The binary matrix `[B, N]` of which items are in which history."""
    ends = np.cumsum([0, *map(len, histories)])
    columns = np.concatenate([np.zeros(0, np.int64), *histories])
    matrix = sp.csr_matrix((np.ones(len(columns), np.float32), columns, ends), (len(histories), items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def read_interactions(examples: Path, schema: Schema) -> Interactions:
    """Reads the training part, whose long histories are cut into windows."""
    windows = list(read_batches(examples, schema, "train"))
    counts = [batch["item"].row_lengths().numpy() for batch in windows]
    starts = np.repeat(_joined([batch["start"].numpy() for batch in windows]), _joined(counts))
    user = np.repeat(_joined([batch["user"].numpy() for batch in windows]), _joined(counts))
    item = _joined([batch["item"].flat_values.numpy() for batch in windows])
    # The windows may stand in any order.
    order = np.lexsort((np.arange(len(user)), starts, user))
    label = _joined([batch["label"].flat_values.numpy() for batch in windows])
    time = _joined([batch["time"].flat_values.numpy() for batch in windows])
    return Interactions(
        user[order],
        item[order],
        label=label[order] if schema.label else None,
        time=time[order] if len(time) else None,
    )


def with_validation(interactions: Interactions, examples: Path, schema: Schema) -> Interactions:
    """The training interactions and those of the validation part, which come after a user's others."""
    held_out = list(read_batches(examples, schema, "validation"))

    def longer(first: np.ndarray, name: str) -> np.ndarray:
        return np.concatenate([first, *(batch[name].flat_values.numpy() for batch in held_out)])

    counts = [batch["item"].row_lengths().numpy() for batch in held_out]
    users = [batch["user"].numpy() for batch in held_out]
    user = np.concatenate([interactions.user, np.repeat(_joined(users), _joined(counts))])
    order = np.argsort(user, kind="stable")
    return Interactions(
        user[order],
        longer(interactions.item, "item")[order],
        label=None if interactions.label is None else longer(interactions.label, "label")[order],
        time=None if interactions.time is None else longer(interactions.time, "time")[order],
    )


def read_cases(examples: Path, schema: Schema, part: HeldOut) -> Cases:
    """Reads a held-out part.

    Raises:
      InputError: the part holds no case.
    """
    cuts = list(read_cuts(examples, schema, part))
    repeats = sum(cut.repeats for cut in cuts)
    cuts = [cut for cut in cuts if len(cut.items)]
    if not cuts:
        raise InputError(f"{examples}: the {part} part holds nothing new to its users to judge by")
    return Cases(
        user=np.array([cut.user for cut in cuts]),
        history=tuple(cut.history for cut in cuts),
        target=np.concatenate([cut.items for cut in cuts]),
        case=np.repeat(np.arange(len(cuts)), [len(cut.items) for cut in cuts]),
        label=np.concatenate([cut.labels for cut in cuts]).astype(np.float64) if schema.label else None,
        repeats=repeats,
    )


def read_ids(examples: Path, entity: Entity) -> np.ndarray:
    """The raw ids by index as an object array of bytes; padding and 'unknown' are `b""`."""
    names = read_vocabulary(examples / entity.vocabulary)
    return np.array([b"", b"", *(name.encode("utf-8") for name in names)], dtype=object)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
