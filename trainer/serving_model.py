"""What the SavedModel computes: one method a signature."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import PADDING, RESERVED, Entity, Schema
from trainer.config import TrainerConfig
from trainer.dataset import EntityTable
from trainer.index import ScannIndex
from trainer.language_model import LanguageModel
from trainer.model import Tandem
from trainer.raw_columns import RawColumns, Vocabulary

LOWEST = tf.float32.min
"""The score of a place that holds no item; finite, so that it survives JSON."""


class ServingModel(tf.Module):
    """Answers requests in raw ids and strings from a trained model.

    Item vectors are computed once and kept; the user tower and the ranker run for each request.

    Args:
      tandem: the trained model.
      examples: the folder that it was trained on, for vocabularies and the language model.
      items, users: the entity tables.
      config: the trainer's sections of the config.
      blend: weight of the ranking score in the serving score.
    """

    def __init__(
        self,
        tandem: Tandem,
        examples: Path,
        items: EntityTable,
        users: EntityTable,
        config: TrainerConfig,
        blend: float,
    ) -> None:
        super().__init__(name="tandem")
        schema: Schema = tandem.schema
        # Keras layers are kept out of tf.Module's sight: only the variables that a signature really
        # reads belong into the SavedModel, see `track`.
        self._layers = _Untracked(tandem)
        self._schema = schema
        self._export = config.export
        self._blend = blend
        self._history_length = config.model.history
        vectors = tandem.catalogue().numpy()
        self._vectors = tf.Variable(vectors, trainable=False, name="item_vectors")
        described = schema.users.size if schema.users.columns else 1
        profiles = tandem.about_user(tf.range(described))
        self._profiles = tf.Variable(profiles, trainable=False, name="profiles")
        self._index = ScannIndex(vectors[RESERVED:], config.export.scann)
        self._item_ids = tf.Variable(tf.constant(items.ids.tolist()), trainable=False, name="item_ids")
        self._titles = tf.Variable(tf.constant(items.display.tolist()), trainable=False, name="titles")
        self._items = Vocabulary(examples / schema.items.vocabulary)
        self._users = Vocabulary(examples / schema.users.vocabulary)
        newest = config.export.stored_history
        histories = [history[-newest:] if newest else history[:0] for history in users.history]
        self._stored = tf.Variable(np.concatenate(histories).astype(np.int32), trainable=False, name="stored")
        splits = np.cumsum([0, *map(len, histories)])
        self._stored_splits = tf.Variable(splits.astype(np.int64), trainable=False, name="stored_splits")
        reader = None
        if schema.language_model:
            folder = examples / schema.language_model.folder
            reader = LanguageModel(folder, config.model.language_model.layers)
        self._item_columns = RawColumns(schema.items, examples, schema.language_model, reader)
        self._user_columns = RawColumns(schema.users, examples, schema.language_model, reader)
        self._kept: list[tf.Variable] = []

    def track(self, signatures: dict[str, tf.types.experimental.ConcreteFunction]) -> None:
        """Keeps the variables that the signatures read, so that saving finds them."""
        kept = {id(variable): variable for function in signatures.values() for variable in function.variables}
        self._kept = list(kept.values())

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The traced signatures by name, as docs/architecture.md lists them."""
        user_id = tf.TensorSpec([None], tf.string, "user_id")
        item_id = tf.TensorSpec([None], tf.string, "item_id")
        history = tf.TensorSpec([None, None], tf.string, "history")
        exclude = tf.TensorSpec([None, None], tf.string, "exclude")
        candidates = tf.TensorSpec([None, None], tf.string, "candidate_id")
        traced = {
            "serving_default": tf.function(self.recommend).get_concrete_function(user_id, history, exclude),
            "retrieve": tf.function(self.retrieve).get_concrete_function(user_id, history, exclude),
            "rank": tf.function(self.rank).get_concrete_function(user_id, history, candidates),
            "similar": tf.function(self.similar).get_concrete_function(item_id, exclude),
            "embed_user": tf.function(self.embed_user).get_concrete_function(user_id, history),
            "describe": tf.function(self.describe).get_concrete_function(item_id),
        }
        if self._schema.items.columns:

            def embed_item(**cells: tf.Tensor) -> dict[str, tf.Tensor]:
                return self.embed_item(cells)

            raw = _cells(self._schema.items)
            traced["embed_item"] = tf.function(embed_item).get_concrete_function(**raw)
        if self._schema.users.columns:

            def welcome(history: tf.Tensor, exclude: tf.Tensor, **cells: tf.Tensor) -> dict[str, tf.Tensor]:
                return self.welcome(cells, history, exclude)

            raw = _cells(self._schema.users)
            traced["welcome"] = tf.function(welcome).get_concrete_function(
                history=history, exclude=exclude, **raw
            )
        return traced

    # Signatures: strings in, strings out.

    def recommend(self, user_id: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The best items by the blend of retrieval and ranking, each with its reason."""
        user, past, banned = self._request(user_id, history, exclude)
        return self._recommend(user, self._about(user), past, banned)

    def welcome(
        self, cells: dict[str, tf.Tensor], history: tf.Tensor, exclude: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """As `recommend`, for people whom the model does not know: they bring their raw columns along."""
        nobody = tf.fill([tf.shape(history)[0]], "")
        user, past, banned = self._request(nobody, history, exclude)
        about = self._layers.value.profile(tf.shape(history)[0], *self._user_columns(cells))
        return self._recommend(user, about, past, banned)

    def _recommend(
        self, user: tf.Tensor, about: tf.Tensor, past: tf.Tensor, banned: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        vector, newest = self._user_vector(about, past)
        items, retrieved = self._candidates(vector, banned, self._export.candidates)
        scores = self._ranking(user, vector, items)
        score = tf.where(items > PADDING, retrieved + self._blend * scores, LOWEST)
        score, order = tf.math.top_k(score, self._export.k)
        items = tf.gather(items, order, batch_dims=1)
        return {
            "item_id": self._ids(items),
            "score": score,
            "because": self._ids(self._because(items, newest)),
        }

    def retrieve(self, user_id: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The candidates by retrieval alone."""
        user, past, banned = self._request(user_id, history, exclude)
        vector, _ = self._user_vector(self._about(user), past)
        items, score = self._candidates(vector, banned, self._export.k)
        return {"item_id": self._ids(items), "score": score}

    def rank(self, user_id: tf.Tensor, history: tf.Tensor, candidate_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serving scores, their retrieval part, and predicted labels of given candidates.

        An unknown candidate has the lowest scores.
        """
        user, past, _ = self._request(user_id, history, tf.zeros([tf.shape(user_id)[0], 0], tf.string))
        vector, _ = self._user_vector(self._about(user), past)
        items = self._items(candidate_id)
        scores = self._ranking(user, vector, items)
        retrieved = tf.einsum("bd,bcd->bc", vector, tf.gather(self._vectors, items))
        known = items >= RESERVED
        label = self._schema.label
        if label:
            rating = self._layers.value.ranker.labels_of(scores)
            rating = tf.clip_by_value(rating, label.minimum, label.maximum)
        else:
            rating = tf.sigmoid(scores)
        return {
            "score": tf.where(known, retrieved + self._blend * scores, LOWEST),
            "retrieved": tf.where(known, retrieved, LOWEST),
            "rating": rating,
        }

    def similar(self, item_id: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The items nearest to a given one, itself left out; nothing for an unknown item."""
        item = self._items(item_id)[:, None]
        banned = tf.concat([item, self._items(exclude)], 1)
        items, score = self._candidates(tf.gather(self._vectors, item[:, 0]), banned, self._export.k)
        known = item >= RESERVED
        return {
            "item_id": self._ids(tf.where(known, items, PADDING)),
            "score": tf.where(known, score, LOWEST),
        }

    def embed_item(self, cells: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The vector of an item that need not be in the catalogue, from its raw columns."""
        tower = self._layers.value.item_tower
        return {"embedding": tower.content_vectors(*self._item_columns(cells))}

    def embed_user(self, user_id: tf.Tensor, history: tf.Tensor) -> dict[str, tf.Tensor]:
        """The user vector that retrieval searches with."""
        user, past, _ = self._request(user_id, history, tf.zeros([tf.shape(user_id)[0], 0], tf.string))
        return {"embedding": self._user_vector(self._about(user), past)[0]}

    def describe(self, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """What people call the items; `""` for an item that is not in the catalogue."""
        return {"title": tf.gather(self._titles, self._items(item_id))}

    # Steps that the signatures share: indices in, indices out.

    def _request(
        self, user_id: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Indices of users `[B]`, of known history items `[B, H]` and of excluded items `[B, E]`."""
        user = self._users(user_id)
        stored = tf.RaggedTensor.from_row_splits(self._stored, self._stored_splits, validate=False)
        empty = tf.logical_not(tf.reduce_any(tf.not_equal(history, ""), 1))
        given = self._items(history)
        given = tf.ragged.boolean_mask(given, given >= RESERVED)
        # A user's stored history stands in for an empty one, and is cut to nothing otherwise.
        stored = tf.cast(tf.gather(stored, user), tf.int64)
        stored = tf.ragged.boolean_mask(stored, tf.logical_and(stored >= RESERVED, empty[:, None]))
        past = tf.concat([given, stored], 1).to_tensor(PADDING)
        banned = self._items(exclude)
        if self._export.exclude_history:
            banned = tf.concat([banned, past], 1)
        return user, past, banned

    def _about(self, user: tf.Tensor) -> tf.Tensor:
        """What is known of users besides their history `[B, D]`."""
        return tf.gather(self._profiles, user if self._schema.users.columns else tf.zeros_like(user))

    def _user_vector(self, about: tf.Tensor, past: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """User vectors `[B, D]`, and the newest history items `[B, L]` that they were made from."""
        length = tf.reduce_sum(tf.cast(past > PADDING, tf.int32), 1)
        width = tf.minimum(tf.reduce_max(length, 0), self._history_length)
        place = (
            tf.maximum(length - self._history_length, 0)[:, None] + tf.range(tf.maximum(width, 0))[None, :]
        )
        newest = tf.where(
            place < length[:, None],
            tf.gather(past, tf.minimum(place, tf.maximum(tf.shape(past)[1] - 1, 0)), batch_dims=1),
            PADDING,
        )
        return self._layers.value.users(newest, about, self._vectors), newest

    def _candidates(self, queries: tf.Tensor, banned: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The best items that are not banned `[B, count]` and their scores; padding at the end."""
        banned = tf.sort(banned, axis=1)
        repeated = tf.pad(tf.equal(banned[:, 1:], banned[:, :-1]), [[0, 0], [1, 0]])[:, : tf.shape(banned)[1]]
        counted = tf.logical_and(banned >= RESERVED, tf.logical_not(repeated))
        most = tf.reduce_max(tf.reduce_sum(tf.cast(counted, tf.int32), 1), 0)
        rows, scores = self._index.search(queries, count + tf.maximum(most, 0))
        items = rows + RESERVED
        # One more place, so that there is always something to compare with.
        banned = tf.pad(banned, [[0, 0], [0, 1]], constant_values=banned.dtype.max)
        nearest = tf.gather(banned, tf.searchsorted(banned, items), batch_dims=1)
        scores = tf.where(tf.equal(nearest, items), -math.inf, scores)
        scores = tf.pad(scores, [[0, 0], [0, count]], constant_values=-math.inf)
        items = tf.pad(items, [[0, 0], [0, count]])
        scores, order = tf.math.top_k(scores, count)
        items = tf.gather(items, order, batch_dims=1)
        present = tf.math.is_finite(scores)
        return tf.where(present, items, PADDING), tf.where(present, scores, LOWEST)

    def _ranking(self, user: tf.Tensor, vector: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """The ranker's scores of candidates `[B, C]`."""
        tandem = self._layers.value
        count = tf.shape(items)[1]
        return tandem.ranker(
            tf.repeat(tandem.known_user(user)[:, None], count, 1),
            items,
            tf.repeat(vector[:, None], count, 1),
            tf.gather(self._vectors, items),
        )

    def _because(self, items: tf.Tensor, past: tf.Tensor) -> tf.Tensor:
        """For each item `[B, K]` the history item `[B, L]` that is nearest to it; padding without history."""
        nearness = tf.einsum("bkd,bld->bkl", tf.gather(self._vectors, items), tf.gather(self._vectors, past))
        nearness = tf.where((past > PADDING)[:, None, :], nearness, LOWEST)
        # One padding place more, so that there is something to point at when the history is empty.
        nearness = tf.pad(nearness, [[0, 0], [0, 0], [0, 1]], constant_values=LOWEST)
        padded = tf.pad(past, [[0, 0], [0, 1]])
        nearest = tf.gather(padded, tf.argmax(nearness, 2), batch_dims=1)
        has_history = tf.reduce_any(past > PADDING, 1)[:, None]
        return tf.where(tf.logical_and(items > PADDING, has_history), nearest, PADDING)

    def _ids(self, items: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._item_ids, items)


def _cells(entity: Entity) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec([None], tf.string, name) for name in entity.columns}


class _Untracked:
    """Holds a value that tf.Module must not look into."""

    def __init__(self, value: Any) -> None:
        self.value = value
