"""Others who find items by the same documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import tensorflow as tf
from transformers import BertConfig

from benchmarks.search_queries.found import K, best
from preprocessing.schema import PADDING, RESERVED, Schema
from trainer.language_model.bert import LanguageModel
from trainer.language_model.table import encode_table
from trainer.progress import Progress
from trainer.raw_columns import Tokenizer
from trainer.search.decomposition import take_apart

MOST_TOKENS = 256
"""Tokens of a document that the language model reads: as many as all-MiniLM-L6-v2 is meant for."""


def bm25(documents: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """The items `[Q, K]` that the library `bm25s` finds, by its own tokens and English stop words.

    Lù, "BM25S: orders of magnitude faster lexical search via eager sparse scoring", 2024,
    https://arxiv.org/abs/2407.03618.

    Args:
      documents: by item index, the reserved ones included.
      texts: of the queries.

    Returns:
      item indices; 0 where no more item has any of the words.
    """
    index = bm25s.BM25()
    index.index(_words(documents[RESERVED:]), show_progress=False)
    found, scores = index.retrieve(
        _words(texts), k=min(K, len(documents) - RESERVED), show_progress=False, return_as="tuple"
    )
    return np.where(scores > 0, found + RESERVED, PADDING)


def _words(texts: Sequence[str]) -> bm25s.tokenization.Tokenized:
    return bm25s.tokenize(list(texts), stopwords="en", show_progress=False)


class TextVectors:
    """The language model as it is, which finds by the cosine of text vectors.

    Args:
      examples: the examples folder.
      documents: by item index, the reserved ones included.
      progress: where to show the reading.
    """

    def __init__(self, examples: Path, documents: Sequence[str], progress: Progress) -> None:
        language_model = Schema.read(examples).language_model
        assert language_model is not None  # or the model could not be searched
        folder = examples / language_model.folder
        most = min(MOST_TOKENS, BertConfig.from_pretrained(folder).max_position_embeddings)
        self._tokens = Tokenizer(folder, language_model, most)
        self._model = LanguageModel(folder, None)
        self._progress = progress
        self._documents = self._read("Reading documents", documents[RESERVED:])

    def whole(self, texts: Sequence[str]) -> np.ndarray:
        """The items `[Q, K]` nearest to queries as they are written."""
        return best(self._read("Reading queries", texts) @ self._documents.T) + RESERVED

    def interests(self, texts: Sequence[str], most: int) -> np.ndarray:
        """The items `[Q, K]` nearest to the mean of the interests that are wanted, of at most so many."""
        pieces = take_apart(tf.constant(list(texts)), most)
        wanted = np.logical_and(pieces.text.numpy() != b"", np.logical_not(pieces.negated.numpy()))
        queries, _ = np.nonzero(wanted)
        written = [text.decode() for text in pieces.text.numpy()[wanted]]
        vectors = self._read("Reading interests", written)
        total = np.zeros((len(texts), vectors.shape[1]), np.float32)
        np.add.at(total, queries, vectors)  # a mean has the same direction
        return best(total @ self._documents.T) + RESERVED

    def _read(self, description: str, texts: Sequence[str]) -> np.ndarray:
        tokens = self._tokens(tf.constant(list(texts))).numpy()
        with self._progress.bar(description, len(tokens)) as advance:
            return encode_table(self._model, tokens, advance)
