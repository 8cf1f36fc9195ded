"""The Beam DoFns between checked rows and histories: each unpacks, lets plain functions work, and packs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import TaggedOutput

from preprocessing.batches import InteractionBatch, pack, partition_of, unpack
from preprocessing.check_steps import count
from preprocessing.config import LeaveLast, Random, Temporal
from preprocessing.entities import Row
from preprocessing.filters import among, hash_ids
from preprocessing.histories import build_histories, facts_of
from preprocessing.ids import Ids
from preprocessing.reviews import training_reviews
from preprocessing.shuffle import Shuffle

FACTS, ITEMS, USERS = "facts", "items", "users"
ITEM_REVIEWS, USER_REVIEWS = "item_reviews", "user_reviews"
"""Side outputs."""


class KeepCoreInteractions(beam.DoFn):
    """Leaves out the interactions of users and items outside the k-core."""

    def __init__(self, shuffle: Shuffle):
        self._shuffle = shuffle

    def process(self, keyed: tuple[int, bytes], core: tuple[bytes, bytes]) -> Iterator[Any]:
        """Yields the batch without them."""
        users, items = map(unpack, core)
        batch = InteractionBatch.unpacked(self._shuffle.get(keyed[1]))
        stays = _among(batch.users, users) & _among(batch.items, items)
        yield batch.at(stays).packed()
        yield count("interactions", "filtered", "k_core", int((~stays).sum()))


def _hashed(ids: Ids) -> np.ndarray:
    return hash_ids(ids.names)[ids.codes]


def _among(ids: Ids, kept: np.ndarray) -> np.ndarray:
    return among(hash_ids(ids.names), kept)[ids.codes]


class KeepCoreEntities(beam.DoFn):
    """Leaves out the rows of a table of items or users that are outside the k-core."""

    def __init__(self, table: str, shuffle: Shuffle):
        self._table = table
        self._shuffle = shuffle

    def process(self, group: tuple[int, bytes], core: tuple[bytes, bytes]) -> Iterator[Any]:
        """Yields the partition's rows without them."""
        rows: list[Row] = unpack(self._shuffle.get(group[1]))
        stays = among(hash_ids(name for name, _ in rows), unpack(core[("users", "items").index(self._table)]))
        yield group[0], pack([row for row, stay in zip(rows, stays, strict=True) if stay])
        yield count(self._table, "filtered", "k_core", int((~stays).sum()))


class BuildHistories(beam.DoFn):
    """Joins the batches of a partition into (partition, packed histories without texts)."""

    def __init__(self, split: LeaveLast | Temporal | Random, reviews: int, partitions: int):
        self._split = split
        self._reviews = reviews
        self._partitions = partitions

    def process(
        self, group: tuple[int, Iterable[bytes]], cuts: tuple[int, int] | None = None
    ) -> Iterator[Any]:
        """Yields the histories, and aside reviews and what is counted of items, users and everything else."""
        rows = InteractionBatch.joined(map(InteractionBatch.unpacked, group[1]))
        histories = build_histories(rows, self._split, cuts)
        yield group[0], pack(replace(histories, rows=histories.rows.without_texts()))
        for output, ids in ((ITEM_REVIEWS, histories.rows.items), (USER_REVIEWS, histories.rows.users)):
            reviews = training_reviews(histories, ids, self._reviews)
            for partition, found in divided(reviews, self._partitions):
                yield TaggedOutput(output, (partition, pack(found)))
        yield TaggedOutput(ITEMS, pack(histories.train_counts(histories.rows.items)))
        yield TaggedOutput(USERS, pack(histories.train_counts(histories.rows.users)))
        yield TaggedOutput(FACTS, pack(facts_of(histories)))
        yield count("interactions", "kept", "", len(rows))


def divided(values: Mapping[str, Any], partitions: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Divides values by the partition of the id that they belong to."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for name, value in values.items():
        found[partition_of(name, partitions)][name] = value
    yield from found.items()


def merged_counts(chunks: Iterable[bytes]) -> dict[str, int]:
    """Adds up packed counts by name."""
    total: Counter[str] = Counter()
    for chunk in chunks:
        total.update(unpack(chunk))
    return dict(total)


def zero_counts(group: tuple[int, bytes]) -> bytes:
    """Gives every id of a partition's rows the count 0, so that it is known."""
    return pack({name: 0 for name, _ in unpack(group[1])})


def partitioned(data: bytes, partitions: int) -> Iterator[tuple[int, bytes]]:
    """Divides a packed batch by the partition of the users."""
    for partition, batch in InteractionBatch.unpacked(data).by_partition(partitions):
        yield partition, batch.packed()


def hashed_pairs(data: bytes) -> bytes:
    """Hashes the users and items of a batch, `[2, N]`."""
    batch = InteractionBatch.unpacked(data)
    return pack(np.stack([_hashed(batch.users), _hashed(batch.items)]))


def counted_times(data: bytes) -> bytes:
    """Counts the distinct times of a batch, `[2, T]`."""
    return pack(np.stack(np.unique(InteractionBatch.unpacked(data).times, return_counts=True)))
