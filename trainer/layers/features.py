"""Encodes the attributes of items and users, one layer a feature kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Feature


class CategoricalEncoder(tf.keras.layers.Layer):
    """Embeds one value; none, and one that training never saw, become a zero vector.

    Args:
      size: number of indices.
      dimension: width D of the embedding.
    """

    def __init__(self, size: int, dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._embedding = tf.keras.layers.Embedding(size, dimension, name="embedding")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Embeds indices `[N]` into `[N, D]`."""
        known = tf.cast(values >= RESERVED, self.compute_dtype)
        return self._embedding(values) * known[:, None]


class MultiEncoder(tf.keras.layers.Layer):
    """Averages the embeddings of the values that are known; none becomes a zero vector.

    Args:
      size: number of indices.
      dimension: width D of the embedding.
      initializer: of the embeddings.
    """

    def __init__(self, size: int, dimension: int, initializer: str = "uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._embedding = tf.keras.layers.Embedding(size, dimension, initializer, name="embedding")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Embeds zero-padded indices `[N, M]` into `[N, D]`."""
        known = values >= RESERVED
        # Most places are padding: only the values that are there are looked up.
        rows = tf.where(known)[:, 0]
        embedded = self._embedding(tf.boolean_mask(values, known))
        total = tf.math.unsorted_segment_sum(embedded, rows, tf.shape(values)[0])
        count = tf.reduce_sum(tf.cast(known, self.compute_dtype), 1, keepdims=True)
        return total / tf.maximum(count, 1.0)


class DenseEncoder(tf.keras.layers.Layer):
    """Projects a numeric or vector attribute, normalised by what `adapt` has seen.

    An attribute that is not known (NaN) becomes a zero vector.
    """

    def __init__(self, length: int, dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._mean = self.add_weight("mean", [length], initializer="zeros", trainable=False)
        self._deviation = self.add_weight("deviation", [length], initializer="ones", trainable=False)
        self._projection = tf.keras.layers.Dense(dimension, name="projection")

    def adapt(self, values: np.ndarray) -> None:
        """Takes mean and standard deviation from the known rows of `[N, V]`."""
        known = values[~np.isnan(values).any(1)].astype(np.float64)
        if len(known):
            self._mean.assign(known.mean(0))
            self._deviation.assign(np.maximum(known.std(0), 1e-6))

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Projects floats `[N, V]`, NaN where not known, into `[N, D]`."""
        missing = tf.reduce_any(tf.math.is_nan(values), 1, keepdims=True)
        normalised = (tf.where(missing, 0.0, values) - self._mean) / self._deviation
        # Far outliers, say a price of a thousand deviations, must not drown everything else.
        projected = self._projection(tf.clip_by_value(normalised, -5.0, 5.0))
        return tf.where(missing, 0.0, projected)


class FeaturesEncoder(tf.keras.layers.Layer):
    """Sums the encoded attributes of items or users."""

    def __init__(self, features: Sequence[Feature], dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._encoders: dict[str, tf.keras.layers.Layer] = {}
        for feature in features:
            if feature.kind == "categorical":
                encoder = CategoricalEncoder(feature.size, dimension, name=feature.name)
            elif feature.kind == "multi":
                encoder = MultiEncoder(feature.size, dimension, name=feature.name)
            else:
                encoder = DenseEncoder(feature.length, dimension, name=feature.name)
            self._encoders[feature.name] = encoder

    def adapt(self, features: Mapping[str, np.ndarray]) -> None:
        """Lets numeric and vector attributes learn their mean and deviation."""
        for name, encoder in self._encoders.items():
            if isinstance(encoder, DenseEncoder):
                encoder.adapt(features[name])

    def call(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Encodes arrays by feature name, as in `EntityTable.features`, into `[N, D]`."""
        return tf.add_n([encoder(features[name]) for name, encoder in self._encoders.items()])
