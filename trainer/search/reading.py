"""Reads what search compares: the words of texts, and everything that is written about an item."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import Entity, LanguageModel, Text, TextColumn, read_vocabulary
from trainer.raw_columns import Tokenizer
from trainer.tracing import graph

MOST_TOKENS = 512
"""Tokens of a text that can be searched for; the language model may read fewer."""

PIECE_TOKENS = 64
"""Tokens of a piece or an interest that the language model reads."""

BATCH = 256


def search_text(entity: Entity) -> Text:
    """How raw columns join into what can be searched for: attributes that are not in the text, then the text.

    Names stand first, because the language model may not read to the end.
    """
    columns = entity.text.columns if entity.text else ()
    named = {column.name for column in columns}
    attributes = tuple(
        TextColumn(name=feature.name, separator=feature.separator)
        for feature in entity.features
        if feature.kind in ("categorical", "multi") and feature.name not in named
    )
    return Text(columns=(*attributes, *columns), max_tokens=MOST_TOKENS)


def read_tokens(entity: Entity) -> int:
    """Tokens of what is written about an item that the language model reads."""
    return entity.text.max_tokens if entity.text else PIECE_TOKENS


class Words(tf.Module):
    """Cuts texts into token ids, of which those that cannot be searched for are zero.

    These are the special tokens, what the vocabulary does not know, and punctuation.

    Args:
      folder: of the language model.
      language_model: of the schema.
      max_tokens: where a text is cut.
    """

    def __init__(self, folder: Path, language_model: LanguageModel, max_tokens: int) -> None:
        super().__init__(name="words")
        self._tokenizer = Tokenizer(folder, language_model, max_tokens)
        tokens = read_vocabulary(folder / "vocab.txt")
        self.vocabulary = len(tokens)
        self._silent = tf.constant([not _speaks(token) for token in tokens])

    def tokens(self, texts: tf.Tensor) -> tf.Tensor:
        """Token ids of texts `[B]` with the special tokens, zero-padded `[B, T]`."""
        return self._tokenizer(texts)

    def terms(self, tokens: tf.Tensor) -> tf.Tensor:
        """The same, zero wherever there is nothing to search for."""
        return tf.where(tf.gather(self._silent, tokens), 0, tokens)


def _speaks(token: str) -> bool:
    special = token.startswith("[") and token.endswith("]")
    return not special and any(character.isalnum() for character in token)


def item_terms(words: Words, documents: Sequence[str]) -> list[np.ndarray]:
    """The terms of each document."""
    read = graph(lambda texts: words.terms(words.tokens(texts)), [tf.TensorSpec([None], tf.string)])
    found: list[np.ndarray] = []
    for begin in range(0, len(documents), BATCH):
        batch = read(tf.constant(list(documents[begin : begin + BATCH]))).numpy()
        found += [row[row > 0] for row in batch]
    return found
