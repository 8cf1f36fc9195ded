"""The item tower: ID embedding, text vector and attributes in one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from preprocessing.schema import RESERVED, Entity
from trainer.layers.features import FeaturesEncoder


class ItemTower(tf.keras.layers.Layer):
    """Embeds items: `v = norm(W [m E(id) ; g(LM(text)) ; attributes])`.

    A linear map of a concatenation is the sum of each part's own map, which is how it is written
    here. `m` is 0 for items without training interactions and, in training, for a random share of
    the others (ID dropout: Volkovs et al. 2017, "DropoutNet"), so that text and attributes can
    carry an item alone.

    Args:
      entity: the items of the schema.
      dimension: width D of the item vector.
      id_dropout: share of IDs hidden in training.
    """

    def __init__(self, entity: Entity, dimension: int, id_dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._first_unseen = entity.first_unseen
        self._id_dropout = id_dropout
        self._id = tf.keras.layers.Embedding(entity.first_unseen, dimension, name="id")
        self._text = tf.keras.layers.Dense(dimension, use_bias=False, name="text") if entity.text else None
        self.features = (
            FeaturesEncoder(entity.features, dimension, name="features") if entity.features else None
        )
        self._dimension = dimension
        self._bias = self.add_weight("bias", [dimension], initializer="zeros")

    def content(self, text: tf.Tensor | None, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """What text `[N, H]` and attributes say, without the ID and not normalised `[N, D]`."""
        parts = [self._text(text)] if self._text is not None else []
        parts += [self.features(features)] if self.features is not None else []
        return tf.add_n(parts) if parts else tf.zeros([1, self._dimension])

    def normalise(self, vectors: tf.Tensor) -> tf.Tensor:
        """Adds the common bias and scales to length 1."""
        return tf.math.l2_normalize(vectors + self._bias, -1)

    def call(
        self,
        index: tf.Tensor,
        text: tf.Tensor | None,
        features: Mapping[str, tf.Tensor],
        training: bool = False,
    ) -> tf.Tensor:
        """Embeds items that the catalogue knows.

        Args:
          index: `[N]` int.
          text: `[N, H]` language-model vectors, or None without text.
          features: by name, each `[N, …]`.
          training: whether IDs are dropped at random.

        Returns:
          `[N, D]`, each of length 1.
        """
        shown = tf.logical_and(index >= RESERVED, index < self._first_unseen)
        if training:
            shown = tf.logical_and(shown, tf.random.uniform(tf.shape(index)) >= self._id_dropout)
        ids = self._id(tf.minimum(index, self._first_unseen - 1))
        ids *= tf.cast(shown, ids.dtype)[:, None]
        return self.normalise(ids + self.content(text, features))
