"""The retrieval objective."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs


class CatalogueSoftmax(tf.keras.layers.Layer, tfrs.tasks.Task):
    """Cross-entropy of the next item against the whole catalogue.

    No negatives are sampled, so no correction is needed; memory grows with queries times items.

    Args:
      temperature: divides the scores.
    """

    def __init__(self, temperature: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._temperature = temperature

    def call(
        self, queries: tf.Tensor, catalogue: tf.Tensor, targets: tf.Tensor, allowed: tf.Tensor
    ) -> tf.Tensor:
        """The mean loss.

        Args:
          queries: user vectors `[P, D]`.
          catalogue: item vectors `[N, D]`.
          targets: the index of each query's next item `[P]`.
          allowed: `[N]` bool, false for rows that are no candidates in training.

        Returns:
          a scalar.
        """
        logits = tf.matmul(queries, catalogue, transpose_b=True) / self._temperature
        logits = tf.where(allowed[None, :], logits, logits.dtype.min)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        return tf.reduce_sum(losses) / tf.maximum(tf.cast(tf.size(losses), losses.dtype), 1.0)
