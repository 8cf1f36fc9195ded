"""The item tower: ID embedding, text and attributes in one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Entity
from trainer.distribution.id_tables.tables import IdTables
from trainer.layers.features import FeaturesEncoder, MultiEncoder
from trainer.layers.id_embedding import IdEmbedding

TEXT_TOKENS = "text/tokens"
"""The name of a text's tokens among the attributes."""


class ItemTower(tf.keras.layers.Layer):
    """Embeds items: `v = norm(W [m E(id) ; g(LM(text)) ; tokens ; attributes])`.

    A linear map of a concatenation is the sum of each part's own map, which is how it is written
    here. `m` is 0 for items without training interactions and, in training, for a random share of
    the others (ID dropout: Volkovs et al. 2017, "DropoutNet"), so that text and attributes can
    carry an item alone.

    `tokens` is the mean of an embedding for each token of the text (Joulin et al. 2017, "Bag of tricks for
    efficient text classification"): where the language model is frozen it learns what a brand or a series
    means to these users. It starts at zero, so that a token which training never saw says nothing.

    Args:
      entity: the items of the schema.
      dimension: width D of the item vector.
      item_id: whether items have an ID embedding at all.
      id_dropout: share of IDs hidden in training.
      vocabulary: number of tokens that have an embedding; 0 leaves the tokens out.
      id_tables: which hold the ID embeddings; every replica holds them whole when not given.
    """

    def __init__(
        self,
        entity: Entity,
        dimension: int,
        item_id: bool,
        id_dropout: float,
        vocabulary: int = 0,
        id_tables: IdTables | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._first_unseen = entity.first_unseen
        self._id_dropout = id_dropout
        tables = id_tables or IdTables()
        self._id = IdEmbedding(tables, entity.first_unseen, dimension, name="id") if item_id else None
        self._text = tf.keras.layers.Dense(dimension, use_bias=False, name="text") if entity.text else None
        self._tokens = MultiEncoder(vocabulary, dimension, "zeros", name="tokens") if vocabulary else None
        self._features = (
            FeaturesEncoder(entity.features, dimension, name="features") if entity.features else None
        )
        self._dimension = dimension
        self._bias = self.add_weight("bias", [dimension], initializer="zeros")

    def adapt(self, features: Mapping[str, np.ndarray]) -> None:
        """Lets numeric and vector attributes learn their mean and deviation."""
        if self._features is not None:
            self._features.adapt(features)

    def text_view(self, text: tf.Tensor) -> tf.Tensor:
        """What text `[N, H]` alone says `[N, D]`.

        Raises:
          ValueError: the items of this schema have no text.
        """
        if self._text is None:
            raise ValueError("items without text have no text view")
        return self._text(text)

    def _content(self, text: tf.Tensor | None, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """What text `[N, H]` and attributes say, without the ID and not normalised `[N, D]`."""
        parts = [self.text_view(text)] if self._text is not None else []
        parts += [self._tokens(features[TEXT_TOKENS])] if self._tokens is not None else []
        parts += [self._features(features)] if self._features is not None else []
        return tf.add_n(parts) if parts else tf.zeros([1, self._dimension])

    def content_vectors(self, text: tf.Tensor | None, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The vectors `[N, D]` of items whose IDs are hidden or that never had one."""
        return self._normalised(self._content(text, features))

    def _normalised(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(vectors + self._bias, -1)

    def call(
        self,
        index: tf.Tensor,
        text: tf.Tensor | None,
        features: Mapping[str, tf.Tensor],
        seed: tf.Tensor | None = None,
        ids: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Embeds items that the catalogue knows.

        Args:
          index: `[N]` int.
          text: `[N, H]` language-model vectors, or None without text.
          features: by name, each `[N, …]`; the tokens `[N, T]` as `TEXT_TOKENS`.
          seed: of which IDs are dropped `[2]`; None drops none.
          ids: their ID embeddings `[N, D]`, where they are not read from the table.

        Returns:
          `[N, D]`, each of length 1.
        """
        if self._id is None:
            return self.content_vectors(text, features)
        shown = tf.logical_and(index >= RESERVED, index < self._first_unseen)
        if seed is not None:
            some = tf.random.stateless_uniform(tf.shape(index), seed) >= self._id_dropout
            shown = tf.logical_and(shown, some)
        if ids is None:
            ids = self._id(tf.minimum(index, self._first_unseen - 1))
        ids *= tf.cast(shown, ids.dtype)[:, None]
        return self._normalised(ids + self._content(text, features))
