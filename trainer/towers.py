"""What training learned, as functions that a SavedModel carries along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import PADDING
from trainer.config import TrainerConfig
from trainer.dataset import EntityTable
from trainer.language_model.bert import LanguageModel
from trainer.model import Tandem
from trainer.raw_columns import RawColumns, Vocabulary, cell_specs
from trainer.search.readers import DocumentReader, QueryReader
from trainer.search.views import SearchViews
from trainer.tracing import graph

INDEX = tf.int64


class Towers(tf.Module):
    """Both towers, the ranker and the known users: everything in a SavedModel but catalogue and index.

    Each attribute is a `tf.function`. Loaded from a SavedModel they are called just as here, so that another
    catalogue and another index can be put beside them without the examples or the training.

    Args:
      tandem: the trained model.
      examples: the folder that it was trained on, for vocabularies and the language model.
      users: the table of users.
      config: the trainer's sections of the config.
      reader: the language model that read the texts; None without texts.
      views: how search sees texts; None for a model that cannot be searched.

    Attributes:
      user_index: user ids `[B]` to indices.
      stored_history: users `[B]` to the item indices of their histories, ragged `[B, None]`.
      about_user: users `[B]` to what is known of them besides the history `[B, D]`.
      user_vectors: histories, padding anywhere `[B, H]`, `about [B, D]` and the catalogue's vectors `[N, D]`
        to user vectors `[B, D]`, and the newest history items `[B, L]` that they were made from.
      ranking: users `[B]`, items `[B, C]`, user vectors `[B, D]` and item vectors `[B, C, D]` to the ranker's
        scores `[B, C]`.
      ratings: such scores to predicted labels, or without labels to probabilities of a click.
      embed_item: raw item columns by name, each `[B]`, to vectors `[B, D]`; there when items have columns.
      profile: raw user columns by name, each `[B]`, to what they say `[B, D]`; there when users have columns.
      interests: queries `[B]` to their interests `[B, I]`, whether each is negated `[B, I]`, their vectors
        `[B, I, H]`, salience `[B, I]` and terms `[B, I, T]`; there when the model can be searched.
      search_item: raw item columns by name, each `[B]`, to search vectors `[B, H]` and terms `[B, T]`; there
        when the model can be searched.
    """

    def __init__(
        self,
        tandem: Tandem,
        examples: Path,
        users: EntityTable,
        config: TrainerConfig,
        reader: LanguageModel | None,
        views: SearchViews | None,
    ) -> None:
        super().__init__(name="towers")
        schema = tandem.schema
        dimension = config.model.dimension
        vectors = tf.TensorSpec([None, dimension])
        rows, table = tf.TensorSpec([None], INDEX), tf.TensorSpec([None, None], INDEX)
        self._vocabulary = Vocabulary(examples / schema.users.vocabulary)
        described = schema.users.size if schema.users.columns else 1
        profiles = tandem.about_user(tf.range(described))
        self._profiles = tf.Variable(profiles, trainable=False, name="profiles")
        newest = config.export.stored_history
        histories = [history[-newest:] if newest else history[:0] for history in users.history]
        self._stored = tf.Variable(np.concatenate(histories).astype(np.int32), trainable=False, name="stored")
        splits = np.cumsum([0, *map(len, histories)])
        self._stored_splits = tf.Variable(splits.astype(np.int64), trainable=False, name="stored_splits")

        self.user_index = _traced(self._vocabulary, tf.TensorSpec([None], tf.string))
        self.stored_history = _traced(self._histories, rows)
        self.about_user = _traced(self._about, rows)
        self.user_vectors = _traced(_user_vectors(tandem, config.model.history), table, vectors, vectors)
        self.ranking = _traced(_ranking(tandem), rows, table, vectors, tf.TensorSpec([None, None, dimension]))
        self.ratings = _traced(_ratings(tandem), tf.TensorSpec([None, None]))

        if schema.items.columns:
            self._item_columns = RawColumns(schema.items, examples, schema.language_model, reader)
            self.embed_item = _traced(_embed_item(tandem, self._item_columns), cell_specs(schema.items))
        if schema.users.columns:
            self._user_columns = RawColumns(schema.users, examples, schema.language_model, reader)
            self.profile = _traced(_profile(tandem, self._user_columns), cell_specs(schema.users))
        if views is not None and reader is not None and schema.language_model:
            folder = examples / schema.language_model.folder
            self._queries = QueryReader(views, folder, schema.language_model, reader, config.search.interests)
            self.interests = _traced(self._queries.interests, tf.TensorSpec([None], tf.string))
            self._documents = DocumentReader(views, schema.items, folder, schema.language_model, reader)
            search_item = self._documents.of_columns(self._item_columns)
            self.search_item = _traced(search_item, cell_specs(schema.items))
        # Keras layers are out of tf.Module's sight: only the variables that a function really reads belong
        # into the SavedModel.
        functions = [
            value for value in vars(self).values() if isinstance(value, tf.types.experimental.GenericFunction)
        ]
        read = (variable for function in functions for variable in function.get_concrete_function().variables)
        self._read = list({id(variable): variable for variable in read}.values())

    def _histories(self, user: tf.Tensor) -> tf.RaggedTensor:
        stored = tf.RaggedTensor.from_row_splits(self._stored, self._stored_splits, validate=False)
        return tf.cast(tf.gather(stored, user), INDEX)

    def _about(self, user: tf.Tensor) -> tf.Tensor:
        known = self._profiles.shape[0] > 1
        return tf.gather(self._profiles, user if known else tf.zeros_like(user))


def _traced(function: Callable[..., Any], *signature: Any) -> tf.types.experimental.GenericFunction:
    return graph(function, signature)


def _user_vectors(tandem: Tandem, most: int) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    def user_vectors(past: tf.Tensor, about: tf.Tensor, catalogue: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        known = tf.cumsum(tf.cast(past > PADDING, tf.int32), 1)
        length = tf.reduce_max(tf.pad(known, [[0, 0], [1, 0]]), 1)
        width = tf.maximum(tf.minimum(tf.reduce_max(length, 0), most), 0)
        number = tf.maximum(length - most, 0)[:, None] + tf.range(1, width + 1)[None, :]
        # Where there is no item of that number, the place behind all of them is found.
        place = tf.raw_ops.LowerBound(sorted_inputs=known, values=number)
        newest = tf.gather(tf.pad(past, [[0, 0], [0, 1]], constant_values=PADDING), place, batch_dims=1)
        return tandem.users(newest, about, catalogue), newest

    return user_vectors


def _ranking(tandem: Tandem) -> Callable[..., tf.Tensor]:
    def ranking(
        user: tf.Tensor, items: tf.Tensor, user_vectors: tf.Tensor, item_vectors: tf.Tensor
    ) -> tf.Tensor:
        return tandem.ranker.candidates(tandem.known_user(user), items, user_vectors, item_vectors)

    return ranking


def _ratings(tandem: Tandem) -> Callable[[tf.Tensor], tf.Tensor]:
    label = tandem.schema.label

    def ratings(scores: tf.Tensor) -> tf.Tensor:
        if label is None:
            return tf.sigmoid(scores)
        return tf.clip_by_value(tandem.ranker.labels_of(scores), label.minimum, label.maximum)

    return ratings


def _embed_item(tandem: Tandem, columns: RawColumns) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
    return lambda cells: tandem.item_tower.content_vectors(*columns(cells))


def _profile(tandem: Tandem, columns: RawColumns) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
    return lambda cells: tandem.profile(tf.shape(next(iter(cells.values())))[0], *columns(cells))
