"""The tables of item and user IDs, their rows divided among the replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import tensorflow as tf

from trainer.distribution.cluster import Cluster
from trainer.distribution.id_tables.row_shards import RowShards, collected
from trainer.distribution.id_tables.tables import Entity, IdTables
from trainer.distribution.replica import Replica
from trainer.draw import Draw


class ShardedTables(IdTables):
    """The embeddings of items and users, of which each replica holds and learns its own rows.

    All replicas know which rows a step reads. Each gives its own of them and zeros for the others, and their
    sum is what all read; its gradient comes back to all as the sum over replicas, of which each keeps what
    belongs to its rows.
    """

    def __init__(self) -> None:
        self._tables: dict[Entity, RowShards] = {}

    def add(
        self, entity: Entity, layer: tf.keras.layers.Layer, name: str, shape: Sequence[int], initializer: Any
    ) -> tf.Variable:
        """Makes a table of the values that it would have on one device, and divides it."""
        with tf.device("CPU:0"):  # whole, it need not fit into the memory of a replica
            values = tf.keras.initializers.get(initializer)(shape).numpy()
        self._tables[entity] = RowShards.of(values, name)
        return self._tables[entity]

    def look_up(self, draw: Draw, known_user: Callable[[tf.Tensor], tf.Tensor]) -> Draw:
        """Puts the embeddings of a step's items and users beside them."""
        if tf.distribute.in_cross_replica_context():
            return draw
        items, users = self._tables.get("items"), self._tables.get("users")
        if items is not None:
            index = tf.minimum(draw.step.index, items.shape[0] - 1)
            draw = replace(draw, step=replace(draw.step, ids=_rows(items, index)))
        if users is not None:
            distinct, place = tf.unique(known_user(draw.user))
            draw = replace(draw, personal=tf.gather(_rows(users, distinct), place))
        return draw

    def whole(self, cluster: Cluster) -> AbstractContextManager[None]:
        """Collects the tables in the chief's memory while the block lasts."""
        return collected(self._tables.values(), cluster)


def _rows(table: RowShards, index: tf.Tensor) -> tf.Tensor:
    """Rows `[M]` of a table `[M, D]`, in a step in which all replicas ask for the same."""
    replica = Replica.here()
    is_own = index % replica.count == tf.cast(replica.number, index.dtype)
    rows = tf.gather(table, tf.where(is_own, index // replica.count, 0))
    return replica.total(tf.where(is_own[:, None], rows, 0.0))
