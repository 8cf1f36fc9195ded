"""Tables of text vectors, by the index of items or users."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import write_whole
from trainer.language_model.bert import LanguageModel
from trainer.progress import Progress

BATCH = 64
READING = "Reading texts with the language model"


class TextTable:
    """Text vectors that stay as they are.

    Args:
      vectors: `[N, H]`.
    """

    def __init__(self, vectors: tf.Tensor | tf.Variable) -> None:
        self._vectors = vectors

    def __call__(self, index: tf.Tensor) -> tf.Tensor:
        """The vectors of `index [M]` as `[M, H]`."""
        return tf.gather(self._vectors, index)


class RefreshedTable(TextTable):
    """Text vectors that are read anew when the language model has learned; zero before the first time.

    It is no part of a checkpoint: the language model is, and a table follows from it.

    Args:
      model: the language model.
      tokens: of the texts `[N, T]`, zero-padded.
    """

    def __init__(self, model: LanguageModel, tokens: np.ndarray) -> None:
        super().__init__(tf.Variable(tf.zeros([len(tokens), model.width]), trainable=False))
        self._model = model
        self._tokens = tokens

    def refresh(self, progress: Progress) -> None:
        """Reads all texts."""
        with progress.bar(READING, count_texts(self._tokens)) as advance:
            self._vectors.assign(encode_table(self._model, self._tokens, advance))


def count_texts(tokens: np.ndarray) -> int:
    """How many rows of a table of tokens `[N, T]` hold a text."""
    return int((tokens > 0).any(1).sum())


def encode_table(model: LanguageModel, tokens: np.ndarray, advance: Callable[[int], None]) -> np.ndarray:
    """Encodes the texts of a whole table `[N, T]` into `[N, H]`.

    Texts are read by length, so that little padding is computed; `advance` is told how many are done.
    """
    vectors = np.zeros((len(tokens), model.width), np.float32)
    lengths = (tokens > 0).sum(1)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]  # reserved rows have no text
    for begin in range(0, len(order), BATCH):
        rows = order[begin : begin + BATCH]
        vectors[rows] = model.encode_batch(tokens[rows, : lengths[rows].max()])
        advance(len(rows))
    return vectors


def frozen_table(
    kept: Path, model: Callable[[], LanguageModel], tokens: np.ndarray, progress: Progress
) -> TextTable:
    """Reads texts `[N, T]` once; the vectors are kept as an `.npy` file, and read back the next time.

    Args:
      kept: the file.
      model: gives the language model, should it be needed.
      tokens: of the texts, zero-padded.
      progress: where to show how far it is.
    """
    if kept.exists():
        return TextTable(tf.constant(np.load(kept)))
    reader = model()
    with progress.bar(READING, count_texts(tokens)) as advance:
        vectors = encode_table(reader, tokens, advance)
    content = io.BytesIO()
    np.save(content, vectors)
    write_whole(kept, content.getbuffer())
    return TextTable(tf.constant(vectors))
