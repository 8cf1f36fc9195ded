"""From checked interactions to each user's history, and from histories to Examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from preprocessing import split as splits
from preprocessing.batches import InteractionBatch
from preprocessing.config import LeaveLast, Random, Temporal
from preprocessing.ids import Ids
from preprocessing.split import TEST, TRAIN, VALIDATION

Index: TypeAlias = Mapping[str, tuple[int, int]]
"""Gives an id's index and its number of training interactions."""

MOST_LABELS = 20
"""With more distinct labels than this, their histogram is left out of the statistics."""


@dataclass(frozen=True)
class Histories:
    """The whole histories of some users, oldest first.

    Attributes:
      users: `[U]`, ids in rising order.
      lengths: `[U]`.
      rows: the interactions, one user's after the other's.
      parts: `[sum(lengths)]`, see `preprocessing.split`.
    """

    users: np.ndarray
    lengths: np.ndarray
    rows: InteractionBatch
    parts: np.ndarray

    def __iter__(self) -> Iterator[tuple[str, slice]]:
        """Yields each user with the place of the history in `rows`."""
        ends = np.cumsum(self.lengths)
        for user, start, end in zip(self.users, (ends - self.lengths).tolist(), ends.tolist(), strict=True):
            yield user, slice(start, end)

    def train_counts(self, ids: Ids) -> dict[str, int]:
        """Counts training interactions by id (`rows.users` or `rows.items`); the untrained get 0."""
        return ids.counts(self.parts == TRAIN)

    def item_indices(self, items: Index) -> np.ndarray:
        """Gives the index of each interaction's item, `[sum(lengths)]`."""
        return self.rows.items.mapped(lambda item: items[item][0])


def build_histories(
    rows: InteractionBatch, split: LeaveLast | Temporal | Random, cuts: tuple[int, int] | None
) -> Histories:
    """Sorts interactions into histories and divides them; ties in time keep the input's order.

    Args:
      rows: all interactions of the users in it.
      split: how to divide them.
      cuts: for a temporal split, what `temporal_cuts` gave.
    """
    users = rows.users.compacted()
    rows = rows.at(np.lexsort((rows.places, rows.times, users.codes)))
    lengths = np.bincount(users.codes, minlength=len(users.names))
    if isinstance(split, Random):
        parts = splits.random(rows.users, rows.items, rows.places, split)
    elif cuts is not None:
        parts = splits.temporal(rows.times, cuts)
    else:
        parts = splits.leave_last(lengths)
    return Histories(users.names, lengths, rows, parts)


def windows(length: int, window: int) -> Iterator[tuple[int, int]]:
    """Cuts a sequence into (start, end) of at most `window`, so that the last one is full."""
    start, end = 0, length % window or min(window, length)
    while start < length:
        yield start, end
        start, end = end, end + window


def train_examples(
    histories: Histories, items: Index, users: Index, window: int, has_label: bool, has_time: bool
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yields (user index, start, features) of each training window."""
    indices = histories.item_indices(items)
    for user, place in histories:
        train = np.flatnonzero(histories.parts[place] == TRAIN) + place.start
        number = users[user][0]
        for start, end in windows(len(train), window):
            features = _interactions(histories.rows, indices, train[start:end], has_label, has_time)
            yield number, start, features | {"user": [number], "start": [start]}


def held_out_examples(
    histories: Histories, part: int, items: Index, users: Index, has_label: bool, has_time: bool
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yields (user index, 0, features) of each user with interactions in `part`.

    The history is made of the earlier parts: training for validation, and both for the test.
    """
    indices = histories.item_indices(items)
    for user, place in histories:
        parts = histories.parts[place]
        targets = np.flatnonzero(parts == part) + place.start
        if not len(targets):
            continue
        features = _interactions(histories.rows, indices, targets, has_label, has_time)
        features["history"] = indices[place][parts < part].tolist()
        number = users[user][0]
        yield number, 0, features | {"user": [number]}


def _interactions(
    rows: InteractionBatch, indices: np.ndarray, chosen: np.ndarray, has_label: bool, has_time: bool
) -> dict[str, Any]:
    return {
        "item": indices[chosen].tolist(),
        "label": rows.labels[chosen].tolist() if has_label else [],
        "time": rows.times[chosen].tolist() if has_time else [],
    }


def facts_of(histories: Histories) -> dict[str, Any]:
    """Counts what the statistics tell about histories; `merge_facts` adds several up."""
    rows = histories.rows
    labels = Counter(rows.labels.tolist())
    return {
        "interactions": [int((histories.parts == part).sum()) for part in (TRAIN, VALIDATION, TEST)],
        "lengths": dict(Counter(histories.lengths.tolist())),
        "labels": dict(labels) if len(labels) <= MOST_LABELS else None,
        "label_range": [float(rows.labels.min()), float(rows.labels.max())] if len(rows) else None,
        "time_range": [int(rows.times.min()), int(rows.times.max())] if len(rows) else None,
    }


def merge_facts(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Adds up what `facts_of` counted; the order makes no difference."""
    interactions = [sum(part["interactions"][kind] for part in parts) for kind in (TRAIN, VALIDATION, TEST)]
    lengths: Counter[int] = Counter()
    labels: Counter[float] | None = Counter()
    for part in parts:
        lengths.update(part["lengths"])
        labels = None if labels is None or part["labels"] is None else labels + Counter(part["labels"])
    return {
        "interactions": interactions,
        "lengths": dict(sorted(lengths.items())),
        "labels": dict(sorted(labels.items())) if labels is not None and len(labels) <= MOST_LABELS else None,
        "label_range": _joint_range([part["label_range"] for part in parts]),
        "time_range": _joint_range([part["time_range"] for part in parts]),
    }


def _joint_range(ranges: list[Any]) -> list[Any] | None:
    known = [bounds for bounds in ranges if bounds is not None]
    return [min(low for low, _ in known), max(high for _, high in known)] if known else None
