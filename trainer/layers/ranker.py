"""The ranker: what would this user's label for this item be?"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.biases import LabelBiases
from trainer.distribution.id_tables.tables import IdTables
from trainer.layers.dropout import dropout, split_seed


class Ranker(tf.keras.layers.Layer):
    """Predicts a label from `[u, v, u*v]` and biases of the item and, for known users, of the user.

    A known user's vector has a personal embedding added, which tells what the history does not: how
    this user judges.

    Args:
      users: number of user indices, or 0 to learn nothing about single users.
      items: number of item indices with an ID of their own, or 0 to learn nothing about single items.
      dimension: width D of user and item vectors.
      dropout: on the personal embedding and on the hidden layer.
      id_tables: which hold the personal embeddings; every replica holds them whole when not given.
    """

    def __init__(
        self,
        users: int,
        items: int,
        dimension: int,
        dropout: float,
        id_tables: IdTables | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._users = users
        self._items = items
        self.user_bias = self.add_weight("user_bias", [users], initializer="zeros") if users else None
        tables, shape = id_tables or IdTables(), [users, dimension]
        self._user_embedding = tables.add("users", self, "user_embedding", shape, "zeros") if users else None
        self.item_bias = self.add_weight("item_bias", [items], initializer="zeros") if items else None
        self._mean = self.add_weight("mean", [], initializer="zeros", trainable=False)
        self._deviation = self.add_weight("deviation", [], initializer="ones", trainable=False)
        self._hidden = tf.keras.layers.Dense(2 * dimension, "gelu", name="hidden")
        self._dropout = dropout
        self._output = tf.keras.layers.Dense(1, name="output")

    def start_from(self, biases: LabelBiases) -> None:
        """Takes the labels' scale, and starts at their biases: the rest learns what these do not explain."""
        self._mean.assign(biases.mean)
        self._deviation.assign(biases.deviation)
        if self.item_bias is not None:
            self.item_bias.assign(biases.items[: self._items])
        if self.user_bias is not None:
            self.user_bias.assign(biases.users[: self._users])

    def scores_of(self, labels: tf.Tensor) -> tf.Tensor:
        """Labels on the scale of the scores: mean 0, deviation 1 over the training interactions."""
        return (tf.cast(labels, tf.float32) - self._mean) / self._deviation

    def labels_of(self, scores: tf.Tensor) -> tf.Tensor:
        """Scores on the scale of the labels."""
        return self._mean + self._deviation * scores

    def call(
        self,
        user: tf.Tensor,
        item: tf.Tensor,
        user_vector: tf.Tensor,
        item_vector: tf.Tensor,
        seed: tf.Tensor | None = None,
        personal: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Scores pairs: the standardised label, or without labels the logit of a click.

        Args:
          user: indices `[…]`, 1 for an unknown user.
          item: indices `[…]`.
          user_vector: `[…, D]`.
          item_vector: `[…, D]`.
          seed: of dropout `[2]`; None without.
          personal: the users' embeddings `[…, D]`, where they are not read from the table.

        Returns:
          `[…]` float.
        """
        of_user, of_hidden = split_seed(seed, 2)
        user_vector = self._personal(user, user_vector, of_user, personal)
        joined = tf.concat([user_vector, item_vector, user_vector * item_vector], -1)
        hidden = dropout(self._hidden(joined), self._dropout, of_hidden)
        return self._output(hidden)[..., 0] + self._biases(user, item)

    def candidates(
        self, user: tf.Tensor, items: tf.Tensor, user_vector: tf.Tensor, item_vectors: tf.Tensor
    ) -> tf.Tensor:
        """Scores many items for each user as `call` scores pairs, with less to compute.

        The hidden layer is linear in the item for a given user: `[u, v, u*v] W = u W1 + v (W2 + diag(u) W3)`,
        a third of the multiplications.

        Args:
          user: indices `[B]`, 1 for an unknown user.
          items: indices `[B, C]`.
          user_vector: `[B, D]`.
          item_vectors: `[B, C, D]`.

        Returns:
          `[B, C]` float.
        """
        user_vector = self._personal(user, user_vector)
        of_user, of_item, of_both = tf.split(self._hidden.kernel, 3)
        matrix = of_item + user_vector[:, :, None] * of_both
        offset = tf.matmul(user_vector, of_user) + self._hidden.bias
        hidden = self._hidden.activation(tf.matmul(item_vectors, matrix) + offset[:, None])
        # Of rank 2, because a dense layer reads a good deal of shapes to multiply anything else.
        scores = self._output(tf.reshape(hidden, [-1, hidden.shape[-1]]))
        return tf.reshape(scores, tf.shape(items)) + self._biases(user[:, None], items)

    def _personal(
        self,
        user: tf.Tensor,
        user_vector: tf.Tensor,
        seed: tf.Tensor | None = None,
        personal: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The vectors of users with what is known of how they judge."""
        if self._user_embedding is None:
            return user_vector
        if personal is None:
            personal = tf.gather(self._user_embedding, user)
        return user_vector + dropout(personal, self._dropout, seed)

    def _biases(self, user: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """What is added to the scores of users and items; their shapes need only fit together."""
        biases = tf.zeros([])
        if self.item_bias is not None:
            seen = item < self._items
            biases += tf.where(seen, tf.gather(self.item_bias, tf.where(seen, item, 0)), 0.0)
        if self.user_bias is not None:
            biases += tf.gather(self.user_bias, user)
        return biases
