"""The user tower: a causal transformer over the item vectors of a history."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class CausalBlock(tf.keras.layers.Layer):
    """A pre-norm transformer block in which a position sees itself and what came before."""

    def __init__(self, dimension: int, heads: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._attention_norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="attention_norm")
        self._attention = tf.keras.layers.MultiHeadAttention(
            heads, dimension // heads, dropout=dropout, name="attention"
        )
        self._mlp_norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="mlp_norm")
        self._expand = tf.keras.layers.Dense(4 * dimension, "gelu", name="expand")
        self._contract = tf.keras.layers.Dense(dimension, name="contract")
        self._dropout = tf.keras.layers.Dropout(dropout)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Transforms `[B, L, D]` into `[B, L, D]`."""
        normed = self._attention_norm(inputs)
        attended = self._attention(normed, normed, use_causal_mask=True, training=training)
        states = inputs + self._dropout(attended, training=training)
        hidden = self._contract(self._expand(self._mlp_norm(states)))
        return states + self._dropout(hidden, training=training)


class UserTower(tf.keras.layers.Layer):
    """Turns a history into user vectors, one for every length of it (after SASRec, Kang & McAuley 2018).

    A learned start vector, joined by what is known of the user, stands before the first item, so an
    empty history has a vector too. Padding on the right needs no mask: no position looks ahead.

    Args:
      dimension: width D.
      history: the most items H that are read.
      blocks, heads, dropout: of the transformer.
    """

    def __init__(
        self, dimension: int, history: int, blocks: int, heads: int, dropout: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._scale = dimension**0.5
        self._start = self.add_weight("start", [dimension], initializer="random_normal")
        self._positions = self.add_weight("positions", [history + 1, dimension], initializer="random_normal")
        self._dropout = tf.keras.layers.Dropout(dropout)
        self._blocks = [CausalBlock(dimension, heads, dropout, name=f"block_{n}") for n in range(blocks)]
        self._norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self._output = tf.keras.layers.Dense(dimension, name="output")

    def call(self, items: tf.Tensor, user: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Reads histories.

        Args:
          items: item vectors `[B, L, D]`, oldest first, padding on the right, L at most H.
          user: what is known of the user `[B, D]`.
          training: whether dropout is on.

        Returns:
          `[B, L + 1, D]`, each of length 1; position n has read the first n items.
        """
        start = (self._start + user)[:, None, :]
        # Item vectors have length 1; scaled so that an entry is about as large as a position's.
        states = tf.concat([start, items * self._scale], 1)
        states += self._positions[: tf.shape(states)[1]]
        states = self._dropout(states, training=training)
        for block in self._blocks:
            states = block(states, training=training)
        return tf.math.l2_normalize(self._output(self._norm(states)), -1)
