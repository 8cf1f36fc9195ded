"""What one of the replicas that do a step together has to know of the others."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Replica:
    """One of the replicas that do a step together.

    Each is handed the whole batch, which is nothing but indices and labels, and does a share of its rows. So
    what belongs to the whole step, its candidates and the number of its targets, is known everywhere without
    asking anybody, and losses that are divided by the latter need only be added up.

    Attributes:
      number: from 0.
      count: how many there are.
    """

    number: int
    count: int

    @classmethod
    def here(cls) -> Replica:
        """The one that this code runs for; the only one outside of a step."""
        context = tf.distribute.get_replica_context()
        if context is None:
            return cls(0, 1)
        return cls(context.replica_id_in_sync_group, context.num_replicas_in_sync)

    def share(self, values: tf.Tensor) -> tf.Tensor:
        """Its own rows of `[B, …]`, maybe none: every `count`-th, so that each has some of the first few."""
        if self.count == 1:
            return values
        return tf.boolean_mask(values, tf.range(tf.shape(values)[0]) % self.count == self.number)

    def total(self, values: tf.Tensor) -> tf.Tensor:
        """The sum of the values of all replicas, through which gradients come back as sums too."""
        if self.count == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)
