"""AdamW for replicas that do a step together."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

Gradients = Iterable[tuple[tf.Tensor, tf.Variable]]


class ReplicatedAdamW(tf.keras.optimizers.AdamW):
    """AdamW that scales down the sum of the replicas' gradients as if one replica had computed it.

    Keras sums the gradients of a table's rows by putting them one behind the other; a norm that is taken of
    those would count the rows of each replica apart.
    """

    def aggregate_gradients(self, grads_and_vars: Gradients) -> Gradients:
        """Sums gradients over replicas, each row of a table once."""
        pairs = super().aggregate_gradients(grads_and_vars)
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return pairs
        return [
            (_summed_rows(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient, variable)
            for gradient, variable in pairs
        ]


def _summed_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    indices, rows = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, rows, tf.size(indices))
    return tf.IndexedSlices(values, indices, gradient.dense_shape)
