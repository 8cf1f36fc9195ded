"""The user tower: a causal transformer over the item vectors of a history."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.layers.dropout import dropout, split_seed


class CausalBlock(tf.keras.layers.Layer):
    """A pre-norm transformer block in which a position sees itself and what came before.

    How far apart two positions are is told to each head by a learned bias (Shaw et al. 2018 and Raffel
    et al. 2020, here one bias for every distance).

    Args:
      dimension: width D, a multiple of `heads`.
      heads: of the attention.
      positions: the most positions that are read.
      dropout: on what attention and the hidden layer add to a state.
    """

    def __init__(self, dimension: int, heads: int, positions: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._heads = heads
        self._attention_norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="attention_norm")
        self._projection = tf.keras.layers.Dense(3 * dimension, name="projection")
        self._distances = self.add_weight("distances", [positions, heads], initializer="zeros")
        self._attended = tf.keras.layers.Dense(dimension, name="attended")
        self._mlp_norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="mlp_norm")
        self._expand = tf.keras.layers.Dense(4 * dimension, "gelu", name="expand")
        self._contract = tf.keras.layers.Dense(dimension, name="contract")
        self._dropout = dropout

    def call(
        self,
        inputs: tf.Tensor,
        distance: tf.Tensor,
        seed: tf.Tensor | None = None,
        wanted: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Transforms states.

        Args:
          inputs: `[B * L, D]`: of rank 2, because a dense layer reads a good deal of shapes to multiply
            anything else.
          distance: how far each position is behind each other `[L, L]`, negative for what is ahead.
          seed: of dropout `[2]`; None without.
          wanted: the one position of each row that is transformed `[B]`; all when not given.

        Returns:
          `[B * L, D]`, or `[B, D]` of the wanted positions.
        """
        attended = self._attend(self._attention_norm(inputs), distance, wanted)
        if wanted is not None:
            length = tf.shape(distance)[0]
            inputs = tf.gather(inputs, tf.range(tf.size(wanted)) * length + wanted)
        of_attended, of_hidden = split_seed(seed, 2)
        states = inputs + dropout(attended, self._dropout, of_attended)
        hidden = self._contract(self._expand(self._mlp_norm(states)))
        return states + dropout(hidden, self._dropout, of_hidden)

    def _attend(self, states: tf.Tensor, distance: tf.Tensor, wanted: tf.Tensor | None) -> tf.Tensor:
        length, width = tf.shape(distance)[0], states.shape[-1]
        size = width // self._heads
        projected = tf.reshape(self._projection(states), [-1, length, 3 * self._heads, size])
        queries, keys, values = tf.split(tf.transpose(projected, [0, 2, 1, 3]), 3, axis=1)
        if wanted is None:
            distance = distance[None]
        else:
            queries = tf.gather(queries, wanted[:, None], axis=2, batch_dims=1)
            distance = tf.gather(distance, wanted[:, None])
        scores = tf.matmul(queries * size**-0.5, keys, transpose_b=True) + self._bias(distance)
        attended = tf.matmul(tf.nn.softmax(scores), values)
        return self._attended(tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [-1, width]))

    def _bias(self, distance: tf.Tensor) -> tf.Tensor:
        """What is added to the scores `[·, heads, Q, L]`: minus infinity, nearly, for what is ahead."""
        bias = tf.transpose(tf.gather(self._distances, tf.maximum(distance, 0)), [0, 3, 1, 2])
        return tf.where((distance >= 0)[:, None], bias, -1e9)


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
        self._dropout = dropout
        self._blocks = [
            CausalBlock(dimension, heads, history + 1, dropout, name=f"block_{number}")
            for number in range(blocks)
        ]
        self._norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self._output = tf.keras.layers.Dense(dimension, name="output")

    def call(self, items: tf.Tensor, user: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Reads histories.

        Args:
          items: item vectors `[B, L, D]`, oldest first, padding on the right, L at most H.
          user: what is known of the user `[B, D]`.
          seed: of dropout `[2]`; None without.

        Returns:
          `[B, L + 1, D]`, each of length 1; position n has read the first n items.
        """
        of_states, *of_blocks = split_seed(seed, 1 + len(self._blocks))
        states, distance = self._states(items, user)
        states = dropout(states, self._dropout, of_states)
        for block, of_block in zip(self._blocks, of_blocks, strict=True):
            states = block(states, distance, seed=of_block)
        return tf.reshape(self._vectors(states), [-1, tf.shape(distance)[0], states.shape[-1]])

    def after(self, items: tf.Tensor, user: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Reads histories for one of their user vectors alone: the last block computes no other position.

        Args:
          items: item vectors `[B, L, D]`, as of `call`.
          user: what is known of the user `[B, D]`.
          length: how many of the items count `[B]`, int32.

        Returns:
          `[B, D]`.
        """
        *blocks, last = self._blocks
        states, distance = self._states(items, user)
        for block in blocks:
            states = block(states, distance)
        return self._vectors(last(states, distance, wanted=length))

    def _states(self, items: tf.Tensor, user: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the first block reads `[B * (L + 1), D]`, and how far its positions are apart."""
        start = (self._start + user)[:, None, :]
        # Item vectors have length 1; scaled so that their entries are about 1.
        states = tf.concat([start, items * self._scale], 1)
        places = tf.range(tf.shape(states)[1])
        return tf.reshape(states, [-1, states.shape[-1]]), places[:, None] - places[None, :]

    def _vectors(self, states: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(self._output(self._norm(states)), -1)
