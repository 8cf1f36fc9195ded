"""The attribute objective: what an item is, told from its text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from preprocessing.schema import RESERVED, Feature


class AttributePrediction(tfrs.tasks.Task, tf.keras.layers.Layer):
    """Predicts categorical and multi-valued attributes, genres or knowledge neighbours, from text views.

    Each attribute is a softmax over its values, of which the item's own share the probability evenly.
    It keeps in the text view what tells items apart, which items without interactions live by.

    Args:
      features: of the schema; the others are passed over.
    """

    def __init__(self, features: Sequence[Feature], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._heads = {
            feature.name: tf.keras.layers.Dense(feature.size, name=feature.name)
            for feature in features
            if feature.kind in ("categorical", "multi")
        }

    def call(self, views: tf.Tensor, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The loss, averaged over the items that have the attribute and then over attributes.

        Args:
          views: text views `[M, D]`.
          features: by name, of the same items; `[M]` or `[M, V]` indices, zero-padded.

        Returns:
          a scalar.
        """
        losses = []
        for name, head in self._heads.items():
            values = features[name]
            values = values[:, None] if values.shape.rank == 1 else values
            known = tf.cast(values >= RESERVED, tf.float32)
            logs = tf.gather(tf.nn.log_softmax(head(views)), values, batch_dims=1)
            count = tf.reduce_sum(known, 1)
            own = -tf.reduce_sum(logs * known, 1) / tf.maximum(count, 1.0)
            items = tf.reduce_sum(tf.cast(count > 0, tf.float32))
            losses.append(tf.reduce_sum(own) / tf.maximum(items, 1.0))
        return tf.add_n(losses) / len(losses)
