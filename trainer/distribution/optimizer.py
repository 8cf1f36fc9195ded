"""AdamW whose steps do not depend on the number of replicas."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

Gradients = Iterable[tuple[tf.Tensor, tf.Variable]]


class ReplicatedAdamW(tf.keras.optimizers.AdamW):
    """AdamW that scales gradients down by the norm of their sum.

    The gradient of a table's rows comes in pieces, several for a row that was looked up several times or on
    several replicas. Keras puts pieces together only after the norm was taken, of each apart; here it is
    done before.
    """

    def aggregate_gradients(self, grads_and_vars: Gradients) -> Gradients:
        """Sums gradients over replicas, and over the pieces of a row."""
        return [
            (_with_whole_rows(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient, variable)
            for gradient, variable in super().aggregate_gradients(grads_and_vars)
        ]

    def _deduplicate_sparse_grad(self, grads: list[tf.Tensor]) -> list[tf.Tensor]:
        """Leaves gradients as they are: Keras would put pieces together here."""
        return grads


def _with_whole_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    indices, rows = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, rows, tf.size(indices))
    return tf.IndexedSlices(values, indices, gradient.dense_shape)
