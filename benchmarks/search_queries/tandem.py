"""Asks an exported model, with and without what takes queries apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.search_queries.found import K, best
from preprocessing.schema import PADDING, RESERVED, InputError
from trainer.search.decomposition import take_apart
from trainer.search.found_by import FoundBy
from trainer.version import Version

BATCH = 32
MANY = 64
"""More interests than any query is divided into."""

WARM_UP = 20


class TandemSearch:
    """An exported model that answers `search`.

    Args:
      folder: of the version.

    Raises:
      InputError: the model cannot be searched.
    """

    def __init__(self, folder: Path) -> None:
        self._version = Version.read(folder)
        if self._version.items.found_by is None:
            raise InputError(f"{folder}: the model cannot be searched; items need text, and search.enabled")
        self._found_by: FoundBy = self._version.items.found_by
        self._loaded = tf.saved_model.load(str(folder))
        self._search = self._loaded.signatures["search"]
        self._rows = {"": PADDING} | {name: row for row, name in enumerate(self.items) if row >= RESERVED}

    @property
    def items(self) -> list[str]:
        """Ids of the catalogue, the reserved indices included."""
        return self._version.items.ids

    def search(self, texts: Sequence[str], advance: Callable[[int], None]) -> np.ndarray:
        """The indices `[Q, K]` of the items that the signature gives, of nobody's taste; 0 pads."""
        answers = []
        for begin in range(0, len(texts), BATCH):
            batch = texts[begin : begin + BATCH]
            answers.append(self._ask(batch)["item_id"].numpy()[:, :K])
            advance(len(batch))
        return np.vectorize(lambda item: self._rows[item.decode()], otypes=[np.int64])(
            np.concatenate(answers)
        )

    def one_vector(self, texts: Sequence[str], advance: Callable[[int], None]) -> np.ndarray:
        """The items `[Q, K]` whose search vectors are nearest to that of a query's one interest."""
        answers = []
        for begin in range(0, len(texts), BATCH):
            batch = one_interest(texts[begin : begin + BATCH])
            vectors = self._version.towers.interests(tf.constant(batch))[2][:, 0]
            answers.append(best(vectors.numpy() @ self._found_by.vectors[RESERVED:].T) + RESERVED)
            advance(len(batch))
        return np.concatenate(answers)

    def latencies(self, texts: Sequence[str], calls: int, advance: Callable[[int], None]) -> np.ndarray:
        """How many seconds single calls of the signature take, one after another, after a few to warm up."""
        seconds = []
        for number in range(WARM_UP + calls):
            start = time.perf_counter()
            self._ask([texts[number % len(texts)]])["item_id"].numpy()
            seconds.append(time.perf_counter() - start)
            advance(1)
        return np.array(seconds[WARM_UP:])

    def _ask(self, texts: Sequence[str]) -> dict[str, tf.Tensor]:
        nothing = tf.zeros([len(texts), 0], tf.string)
        return self._search(query=tf.constant(list(texts)), history=nothing, exclude=nothing)


def one_interest(texts: Sequence[str]) -> list[str]:
    """Queries without all that divides them and what says that something is not wanted."""
    whole = tf.constant(list(texts))
    while True:
        pieces = take_apart(whole, MANY)
        whole = tf.strings.strip(tf.strings.reduce_join(pieces.text, -1, separator=" "))
        # Where pieces meet, words may come to stand together that divide again.
        if pieces.text.shape[1] <= 1 and not tf.reduce_any(pieces.negated):
            return [text.decode() for text in whole.numpy()]
