"""The joint two-tower model."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from preprocessing.schema import RESERVED, UNKNOWN, Schema
from trainer.averaging import WeightAverage
from trainer.config import ModelConfig
from trainer.dataset import EntityTable
from trainer.layers.features import FeaturesEncoder
from trainer.layers.item_tower import ItemTower
from trainer.layers.ranker import Ranker
from trainer.layers.user_tower import UserTower
from trainer.tasks.retrieval import CatalogueSoftmax


class Tandem(tfrs.Model):
    """Item tower, user tower and ranker, trained on retrieval and ranking jointly.

    Args:
      schema: of the examples.
      config: the `model:` section.
      items, users: the entity tables; attributes become constants of the model.
      text_vectors: language-model vectors of the items `[N, H]`, or None without text.

    Attributes:
      average: of the weights; to be set once they are made, before training.
    """

    def __init__(
        self,
        schema: Schema,
        config: ModelConfig,
        items: EntityTable,
        users: EntityTable,
        text_vectors: np.ndarray | None,
    ) -> None:
        super().__init__()
        self.average: WeightAverage
        self.schema = schema
        self.config = config
        dimension = config.dimension
        self.item_tower = ItemTower(schema.items, dimension, config.id_dropout, name="item_tower")
        self.user_tower = UserTower(
            dimension, config.history, config.blocks, config.heads, config.dropout, name="user_tower"
        )
        self.user_features = (
            FeaturesEncoder(schema.users.features, dimension, name="user_features")
            if schema.users.features
            else None
        )
        known_users = schema.users.first_unseen if config.user_id else 0
        self.ranker = Ranker(
            known_users, schema.items.first_unseen, dimension, config.ranker_dropout, name="ranker"
        )
        self.retrieval = CatalogueSoftmax(config.temperature)
        ranking_loss = (
            tf.keras.losses.MeanSquaredError()
            if schema.label
            else tf.keras.losses.BinaryCrossentropy(from_logits=True)
        )
        self.ranking = tfrs.tasks.Ranking(ranking_loss)
        self._mean_loss = tf.keras.metrics.Mean(name="mean_loss")
        self._retrieval_loss = tf.keras.metrics.Mean(name="retrieval_loss")
        self._ranking_loss = tf.keras.metrics.Mean(name="ranking_loss")
        self._item_index = tf.range(schema.items.size, dtype=tf.int64)
        self._item_text = None if text_vectors is None else tf.constant(text_vectors)
        self._item_features = {name: tf.constant(values) for name, values in items.features.items()}
        self._user_features = {name: tf.constant(values) for name, values in users.features.items()}
        # Items that are never a target would only be pushed away, so they stay out of the softmax.
        self._trainable_items = tf.logical_and(
            self._item_index >= RESERVED, self._item_index < schema.items.first_unseen
        )
        if self.item_tower.features is not None:
            self.item_tower.features.adapt(items.features)
        if self.user_features is not None:
            self.user_features.adapt(users.features)

    def catalogue(self, training: bool = False) -> tf.Tensor:
        """The vectors of all items `[N, D]`; the reserved rows are zero."""
        vectors = self.item_tower(self._item_index, self._item_text, self._item_features, training=training)
        return tf.where((self._item_index >= RESERVED)[:, None], vectors, 0.0)

    def known_user(self, user: tf.Tensor) -> tf.Tensor:
        """The index that the ranker knows a user by: 'unknown' without training interactions or a name."""
        user = tf.maximum(user, tf.cast(UNKNOWN, user.dtype))
        return tf.where(user < self.schema.users.first_unseen, user, tf.cast(UNKNOWN, user.dtype))

    def about_user(self, user: tf.Tensor) -> tf.Tensor:
        """What is known of users `[B]` besides their history `[B, D]`."""
        if self.user_features is None:
            return tf.zeros([tf.size(user), self.config.dimension])
        return self.user_features(
            {name: tf.gather(values, user) for name, values in self._user_features.items()}
        )

    def users(self, history: tf.Tensor, user: tf.Tensor, catalogue: tf.Tensor) -> tf.Tensor:
        """User vectors after the whole history.

        Args:
          history: item indices `[B, L]`, oldest first, zero-padded on the right.
          user: `[B]` indices.
          catalogue: `[N, D]`.

        Returns:
          `[B, D]`.
        """
        states = self.user_tower(tf.gather(catalogue, history), self.about_user(user))
        length = tf.reduce_sum(tf.cast(history > 0, tf.int32), 1)
        return tf.gather(states, length, batch_dims=1)

    def train_step(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimizer step on a batch; the weights' average takes it in."""
        metrics = super().train_step(inputs)
        self.average.update(self.optimizer.iterations)
        return metrics

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The weighted sum of the objectives over one batch of `trainer.dataset.training_batches`."""
        weights = self.config.loss
        items, user = inputs["item"], inputs["user"]
        if training:
            hidden = tf.random.uniform(tf.shape(user)) < self.config.user_dropout
            user = tf.where(hidden, tf.cast(UNKNOWN, user.dtype), user)
        catalogue = self.catalogue(training)
        past = tf.gather(catalogue, items[:, :-1])
        states = self.user_tower(past, self.about_user(user), training=training)
        # The first item of a window that starts in the middle has a past that we do not see.
        first = tf.logical_or(tf.range(tf.shape(items)[1])[None, :] > 0, inputs["from_start"][:, None])
        valid = tf.logical_and(items > 0, first)
        queries, targets = tf.boolean_mask(states, valid), tf.boolean_mask(items, valid)
        retrieval = self.retrieval(queries, catalogue, targets, self._trainable_items)
        self._retrieval_loss.update_state(retrieval)
        loss = weights.gamma * retrieval
        if weights.alpha:
            users = tf.boolean_mask(tf.repeat(self.known_user(user)[:, None], tf.shape(items)[1], 1), valid)
            labels = tf.boolean_mask(inputs["label"], valid) if self.schema.label else None
            ranking = self._rank(users, queries, targets, labels, catalogue, training)
            self._ranking_loss.update_state(ranking)
            loss += weights.alpha * ranking
        self._mean_loss.update_state(loss)
        return loss

    def _rank(
        self,
        users: tf.Tensor,
        queries: tf.Tensor,
        targets: tf.Tensor,
        labels: tf.Tensor | None,
        catalogue: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        if labels is None:
            # Without labels an interaction is a click and a random item is none.
            first, last = RESERVED, self.schema.items.first_unseen
            negatives = tf.random.uniform(tf.shape(targets), first, last, targets.dtype)
            labels = tf.concat([tf.ones_like(targets), tf.zeros_like(targets)], 0)
            targets = tf.concat([targets, negatives], 0)
            users, queries = tf.tile(users, [2]), tf.tile(queries, [2, 1])
        scores = self.ranker(users, targets, queries, tf.gather(catalogue, targets), training=training)
        return self.ranking(labels=self.ranker.scores_of(labels)[:, None], predictions=scores[:, None])

    def call(self, inputs: dict[str, Any]) -> tf.Tensor:
        """User vectors of `user [B]` with `history [B, L]`."""
        return self.users(inputs["history"], inputs["user"], self.catalogue())
