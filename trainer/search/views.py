"""The space in which interests and items meet: the language model's own, bent by what training found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from preprocessing.schema import PADDING, Entity, Feature
from trainer.layers.features import FeaturesEncoder

ATTRIBUTES_AT_FIRST = 0.1
"""How much attributes weigh against the text before training."""


class SearchViews(tf.keras.layers.Layer):
    """Puts interests and items into one space of the language model's width H.

    Both begin as the language model's text vectors, which find what is never trained on too, and learn a
    residual: `q = norm(t + W_q t)`, `s = norm(t + W_s t + attributes)`.

    Args:
      entity: the items of the schema.
      width: of the language model's vectors, H.
    """

    def __init__(self, entity: Entity, width: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._interest = tf.keras.layers.Dense(width, use_bias=False, kernel_initializer="zeros")
        self._item = tf.keras.layers.Dense(width, use_bias=False, kernel_initializer="zeros")
        self._salience = tf.keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        self._features = FeaturesEncoder(entity.features, width) if entity.features else None
        self._width = width
        self._nothing = {feature.name: _no_value(feature) for feature in entity.features}
        self._share = self.add_weight(
            "attributes", [], initializer=tf.keras.initializers.Constant(ATTRIBUTES_AT_FIRST)
        )

    def adapt(self, features: Mapping[str, np.ndarray]) -> None:
        """Lets numeric and vector attributes learn their mean and deviation."""
        if self._features is not None:
            self._features.adapt(features)

    def make_weights(self) -> None:
        """Makes all weights, so that they can be set."""
        self.interests(tf.zeros([1, self._width]))
        self.salience(tf.zeros([1, self._width]))
        self.items(tf.zeros([1, self._width]), self._nothing)

    def interests(self, texts: tf.Tensor) -> tf.Tensor:
        """Vectors of interests `[…, H]` of length 1 from their text vectors."""
        return tf.math.l2_normalize(texts + self._interest(texts), -1)

    def salience(self, texts: tf.Tensor) -> tf.Tensor:
        """How much interests count `[…]`, before the softmax over those of one query."""
        return self._salience(texts)[..., 0]

    def items(self, texts: tf.Tensor, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Vectors of items `[N, H]` of length 1 from text vectors `[N, H]` and attributes by name."""
        vectors = texts + self._item(texts)
        if self._features is not None:
            vectors += self._share * self._features(features)
        return tf.math.l2_normalize(vectors, -1)


def _no_value(feature: Feature) -> tf.Tensor:
    """One item that has no such attribute."""
    if feature.kind in ("numeric", "vector"):
        return tf.fill([1, feature.length], float("nan"))
    shape = [1] if feature.kind == "categorical" else [1, 1]
    return tf.fill(shape, tf.constant(PADDING, tf.int64))
