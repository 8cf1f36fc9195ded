"""What the exported model reads: queries, and the raw columns of items that can then be searched for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from preprocessing.schema import Entity, LanguageModel
from trainer.language_model.bert import LanguageModel as TextReader
from trainer.raw_columns import RawColumns, join_text
from trainer.search.decomposition import take_apart
from trainer.search.reading import MOST_TOKENS, PIECE_TOKENS, Words, read_tokens, search_text
from trainer.search.views import SearchViews


class QueryReader(tf.Module):
    """Takes queries apart and reads their interests.

    Args:
      views: how search sees texts.
      folder: of the language model.
      language_model: of the schema.
      reader: the language model itself.
      most: interests of a query.
    """

    def __init__(
        self,
        views: SearchViews,
        folder: Path,
        language_model: LanguageModel,
        reader: TextReader,
        most: int,
    ) -> None:
        super().__init__(name="query_reader")
        self._words = Words(folder, language_model, PIECE_TOKENS)
        self._most = most
        # Kept out of tf.Module's sight: only the variables that a signature reads are saved.
        self._encode, self._see, self._weigh = reader.encode, views.interests, views.salience

    def interests(self, query: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Interests of queries `[B]`; see `trainer.towers.Towers.interests`."""
        text, negated = take_apart(query, self._most)
        place = tf.where(tf.not_equal(text, ""))
        count = tf.shape(place)[0]
        # Nothing at all cannot be read, but an empty text can.
        nothing = tf.cast(tf.equal(count, 0), tf.int32)
        tokens = self._words.tokens(tf.pad(tf.gather_nd(text, place), [[0, nothing]]))
        texts = self._encode(tokens)[:count]
        terms = self._words.terms(tokens)[:count]
        shape = tf.shape(text, tf.int64)

        def spread(values: tf.Tensor) -> tf.Tensor:
            return tf.scatter_nd(place, values, tf.concat([shape, tf.shape(values, tf.int64)[1:]], 0))

        return text, negated, spread(self._see(texts)), spread(self._weigh(texts)), spread(terms)


class DocumentReader(tf.Module):
    """Reads everything that is written about items.

    Args:
      views: how search sees texts.
      items: of the schema.
      folder: of the language model.
      language_model: of the schema.
      reader: the language model itself.
    """

    def __init__(
        self,
        views: SearchViews,
        items: Entity,
        folder: Path,
        language_model: LanguageModel,
        reader: TextReader,
    ) -> None:
        super().__init__(name="document_reader")
        self._text = search_text(items)
        self._words = Words(folder, language_model, MOST_TOKENS)
        self._beginning = Words(folder, language_model, read_tokens(items))
        self._encode, self._see = reader.encode, views.items

    def of_columns(
        self, columns: RawColumns
    ) -> Callable[[Mapping[str, tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]:
        """The function from raw columns to search vectors and terms; see `Towers.search_item`."""

        def read(cells: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            documents = join_text(self._text, cells)
            texts = self._encode(self._beginning.tokens(documents))
            terms = self._words.terms(self._words.tokens(documents))
            return self._see(texts, columns.attributes(cells)), terms

        return read
