"""What is known of a user besides the history: attributes and text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import Entity
from trainer.layers.features import FeaturesEncoder


class UserProfile(tf.keras.layers.Layer):
    """Sums the encoded attributes and the projected text of users; zero where nothing is known.

    Args:
      entity: the users of the schema.
      dimension: width D.
    """

    def __init__(self, entity: Entity, dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dimension = dimension
        self._text = tf.keras.layers.Dense(dimension, use_bias=False, name="text") if entity.text else None
        self._features = (
            FeaturesEncoder(entity.features, dimension, name="features") if entity.features else None
        )

    def adapt(self, features: Mapping[str, np.ndarray]) -> None:
        """Lets numeric and vector attributes learn their mean and deviation."""
        if self._features is not None:
            self._features.adapt(features)

    def call(self, count: tf.Tensor, text: tf.Tensor | None, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Encodes `count` users.

        Args:
          count: how many users B there are.
          text: `[B, H]` language-model vectors, or None without text.
          features: by name, each `[B, …]`.

        Returns:
          `[B, D]`.
        """
        profile = tf.zeros([count, self._dimension])
        if self._text is not None:
            profile += self._text(text)
        if self._features is not None:
            profile += self._features(features)
        return profile
