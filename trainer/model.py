"""The joint two-tower model."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_recommenders as tfrs

from preprocessing.schema import RESERVED, UNKNOWN, Schema
from trainer.averaging import WeightAverage
from trainer.config import ModelConfig
from trainer.dataset import EntityTable
from trainer.distribution.id_tables.tables import IdTables
from trainer.distribution.replica import Replica
from trainer.draw import DRAWN, Chance, Draw
from trainer.language_model.bert import LanguageModel
from trainer.language_model.table import TextTable
from trainer.layers.item_tower import TEXT_TOKENS, ItemTower
from trainer.layers.ranker import Ranker
from trainer.layers.user_profile import UserProfile
from trainer.layers.user_tower import UserTower
from trainer.negatives import step_items
from trainer.progress import Progress
from trainer.tasks.attributes import AttributePrediction
from trainer.tasks.retrieval import QUERIES, CandidateSoftmax
from trainer.tracing import as_written

SEMANTIC_PART = 4
"""One window in so many also trains the view without IDs: it costs a user tower of its own."""


class Tandem(tfrs.Model):
    """Item tower, user tower and ranker, trained on retrieval and ranking jointly.

    Args:
      schema: of the examples.
      config: the `model:` section.
      items, users: the entity tables; attributes become constants of the model.
      item_texts, user_texts: language-model vectors by index, or None without text.
      id_tables: which hold the embeddings of items and users; every replica holds them whole when not given.

    Attributes:
      average: of the weights; to be set once they are made, before training.
      language_model: where it learns; None where it is frozen.
    """

    def __init__(
        self,
        schema: Schema,
        config: ModelConfig,
        items: EntityTable,
        users: EntityTable,
        item_texts: TextTable | None,
        user_texts: TextTable | None,
        id_tables: IdTables | None = None,
    ) -> None:
        super().__init__()
        self.average: WeightAverage
        self.language_model: LanguageModel | None = None
        self.schema = schema
        self.config = config
        self.id_tables = id_tables or IdTables()
        dimension = config.dimension
        reads_tokens = config.item_tokens and schema.items.text is not None
        vocabulary = schema.language_model.vocabulary_size if reads_tokens and schema.language_model else 0
        self.item_tower = ItemTower(
            schema.items,
            dimension,
            config.item_id,
            config.id_dropout,
            vocabulary,
            self.id_tables,
            name="item_tower",
        )
        self.user_tower = UserTower(
            dimension, config.history, config.blocks, config.heads, config.dropout, name="user_tower"
        )
        self.profile = UserProfile(schema.users, dimension, name="profile")
        known_users = schema.users.first_unseen if config.user_id else 0
        known_items = schema.items.first_unseen if config.item_id else 0
        self.ranker = Ranker(
            known_users, known_items, dimension, config.ranker_dropout, self.id_tables, name="ranker"
        )
        self.ranker.trainable = config.loss.alpha > 0
        is_compiled = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        self.retrieval = CandidateSoftmax(
            config.temperature, config.negatives.hardness, None if is_compiled else QUERIES
        )
        ranking_loss = (
            tf.keras.losses.MeanSquaredError(tf.keras.losses.Reduction.SUM)
            if schema.label
            else tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=tf.keras.losses.Reduction.SUM)
        )
        self.ranking = tfrs.tasks.Ranking(ranking_loss)
        self.attributes = AttributePrediction(schema.items.features, name="attributes")
        names = ("mean", "retrieval", "ranking", "attributes", "semantic")
        means = {name: tf.keras.metrics.Mean(name=f"{name}_loss") for name in names}
        # Hidden from Keras: they are of an epoch and no part of a checkpoint, which one worker alone writes.
        self._loss_means = lambda: means
        self.distribute_reduction_method = "first"  # these means are of all replicas already
        self._step_items = step_items(config.negatives, items.counts, schema.items.first_unseen)
        self._item_text, self._user_text = item_texts, user_texts
        self._item_features = {name: tf.constant(values) for name, values in items.features.items()}
        if vocabulary:
            self._item_features[TEXT_TOKENS] = tf.constant(items.tokens)
        self._user_features = {name: tf.constant(values) for name, values in users.features.items()}
        self.item_tower.adapt(items.features)
        self.profile.adapt(users.features)

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """The means of the losses over an epoch."""
        return list(self._loss_means().values())

    def catalogue(self) -> tf.Tensor:
        """The vectors of all items `[N, D]`; the reserved rows are zero."""
        return self.item_vectors(tf.range(self.schema.items.size, dtype=tf.int64))

    def item_vectors(
        self,
        index: tf.Tensor,
        seed: tf.Tensor | None = None,
        text: tf.Tensor | None = None,
        ids: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The vectors of items `[M]` as `[M, D]`; zero for the reserved indices.

        Args:
          index: of the items.
          seed: of which IDs are dropped `[2]`; None drops none.
          text: their text vectors `[M, H]`, where they are not those of the table.
          ids: their ID embeddings `[M, D]`, where they are not those of the table.
        """
        vectors = self.item_tower(index, *self._content(index, text), seed=seed, ids=ids)
        return tf.where((index >= RESERVED)[:, None], vectors, 0.0)

    def _content(
        self, index: tf.Tensor, text: tf.Tensor | None = None
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """Text vectors, unless they are given, and attributes of items `[M]`."""
        if text is None and self._item_text is not None:
            text = self._item_text(index)
        return text, {name: tf.gather(values, index) for name, values in self._item_features.items()}

    def known_user(self, user: tf.Tensor) -> tf.Tensor:
        """The index that the ranker knows a user by: 'unknown' without training interactions or a name."""
        user = tf.maximum(user, tf.cast(UNKNOWN, user.dtype))
        return tf.where(user < self.schema.users.first_unseen, user, tf.cast(UNKNOWN, user.dtype))

    def about_user(self, user: tf.Tensor) -> tf.Tensor:
        """What is known of users `[B]` besides their history `[B, D]`."""
        text = None if self._user_text is None else self._user_text(user)
        features = {name: tf.gather(values, user) for name, values in self._user_features.items()}
        return self.profile(tf.size(user), text, features)

    def users(self, history: tf.Tensor, about: tf.Tensor, catalogue: tf.Tensor) -> tf.Tensor:
        """User vectors after the whole history.

        Args:
          history: item indices `[B, L]`, oldest first, zero-padded on the right.
          about: what is known of the users besides, as `about_user` gives it `[B, D]`.
          catalogue: `[N, D]`.

        Returns:
          `[B, D]`.
        """
        length = tf.reduce_sum(tf.cast(history > 0, tf.int32), 1)
        return self.user_tower.after(tf.gather(catalogue, history), about, length)

    def refresh_texts(self, progress: Progress) -> None:
        """Reads all texts anew where the language model learns; here it is frozen, and they stay."""

    @as_written
    def train_step(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimizer step on a batch; the weights' average takes it in."""
        # Or at an epoch's end, where no batch comes, what needs none is done still: weight decay, say.
        with tf.control_dependencies(list(inputs.values())):
            super().train_step(inputs)
            self.average.update(self.optimizer.iterations)
        return {metric.name: metric.result() for metric in self.metrics}

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The weighted sum of the objectives over one batch of `trainer.training_batches`.

        Of several replicas, each gives what its own rows add to it.
        """
        return self.report(self.objectives(self.draw(inputs, training), training))

    def draw(self, inputs: dict[str, tf.Tensor], training: bool) -> Draw:
        """Hides some users in training, and draws the items that the step embeds."""
        if DRAWN in inputs:
            return Draw.read(inputs)
        items, user = inputs["item"], inputs["user"]
        of_users, of_items, of_rest = tf.unstack(tf.random.split(inputs["seed"], 3))
        if training:
            hidden = tf.random.stateless_uniform(tf.shape(user), of_users) < self.config.user_dropout
            user = tf.where(hidden, tf.cast(UNKNOWN, user.dtype), user)
        # The first item of a window that starts in the middle has a past that we do not see.
        first = tf.logical_or(tf.range(tf.shape(items)[1])[None, :] > 0, inputs["from_start"][:, None])
        valid = tf.logical_and(items > 0, first)
        return Draw(user, inputs.get("label"), valid, self._step_items(items, valid, of_items), of_rest)

    def report(self, losses: dict[str, tf.Tensor]) -> tf.Tensor:
        """Adds a step's losses to the epoch's means, and gives their weighted sum."""
        means, replicas = self._loss_means(), Replica.here().count
        for name, loss in losses.items():
            means[name].update_state(loss * replicas)  # what the replicas give is added up, and then divided
        return losses["mean"]

    def objectives(self, draw: Draw, training: bool) -> dict[str, tf.Tensor]:
        """The weighted losses of a step by name, and their sum as `mean`.

        They are means over the whole batch, to which a replica adds what its own rows do.
        """
        draw = self.id_tables.look_up(draw, self.known_user)
        weights, step, replica = self.config.loss, draw.step, Replica.here()
        own = draw.share(replica)
        seed = draw.seed_of(Chance.ITEM_IDS, training)
        vectors = self.item_vectors(step.index, seed, step.text, step.ids)
        queries, rows = self._queries(own, vectors, own.seed_of(Chance.USER_TOWER, training))
        losses = {}
        if weights.gamma:
            retrieval = self.retrieval(queries, vectors, rows, step.weights, draw.targets)
            losses["retrieval"] = weights.gamma * retrieval
        if weights.alpha:
            ranking = self._rank(own, queries, rows, vectors, training) / tf.maximum(draw.targets, 1.0)
            losses["ranking"] = weights.alpha * ranking
        if weights.beta:
            text, features = self._content(step.index, step.text)
            # It is of the step's items, which all replicas have in common.
            attributes = self.attributes(self.item_tower.text_view(text), features) / replica.count
            losses["attributes"] = weights.beta * attributes
        if weights.semantic:
            some = draw.first(SEMANTIC_PART)
            content = self.item_tower.content_vectors(*self._content(step.index, step.text))
            content = tf.where((step.index >= RESERVED)[:, None], content, 0.0)
            few = some.share(replica)
            queries, rows = self._queries(few, content, few.seed_of(Chance.SEMANTIC, training))
            semantic = self.retrieval(queries, content, rows, step.weights, some.targets)
            losses["semantic"] = weights.semantic * semantic
        losses["mean"] = tf.add_n(list(losses.values()))
        return losses

    def _queries(self, draw: Draw, vectors: tf.Tensor, seed: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """User vectors `[P, D]` before each valid place of the windows, and the rows `[P]` of what came."""
        past = tf.gather(vectors, draw.step.row[:, :-1])
        states = self.user_tower(past, self.about_user(draw.user), seed=seed)
        return tf.boolean_mask(states, draw.valid), tf.boolean_mask(draw.step.row, draw.valid)

    def _rank(
        self, draw: Draw, queries: tf.Tensor, rows: tf.Tensor, vectors: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """The ranking loss, summed over the targets."""
        step = draw.step
        user = tf.boolean_mask(tf.repeat(draw.user[:, None], tf.shape(draw.valid)[1], 1), draw.valid)
        user, times = self.known_user(user), 1
        personal = None if draw.personal is None else tf.gather(draw.personal, tf.where(draw.valid)[:, 0])
        if draw.label is not None:
            labels = tf.boolean_mask(draw.label, draw.valid)
        else:
            # Without labels an interaction is a click, and a random candidate is none.
            seed, logits = draw.seed_of(Chance.CLICKS), tf.math.log(step.weights)[None]
            negatives = tf.random.stateless_categorical(logits, tf.size(rows), seed, rows.dtype)[0]
            labels = tf.concat([tf.ones_like(rows), tf.zeros_like(rows)], 0)
            rows = tf.concat([rows, negatives], 0)
            user, queries, times = tf.tile(user, [2]), tf.tile(queries, [2, 1]), 2
            personal = None if personal is None else tf.tile(personal, [2, 1])
        item, item_vectors = tf.gather(step.index, rows), tf.gather(vectors, rows)
        seed = draw.seed_of(Chance.RANKER, training)
        scores = self.ranker(user, item, queries, item_vectors, seed=seed, personal=personal)
        labels = self.ranker.scores_of(labels)[:, None]
        return self.ranking(labels=labels, predictions=scores[:, None]) / times
