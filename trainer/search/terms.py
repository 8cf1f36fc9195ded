"""Finds items by the very words of an interest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
import tensorflow as tf

SATURATION = 1.2
LENGTH_PART = 0.75
"""BM25's k1 and b, at their usual values."""

COMMON = 0.5
"""A token of more than this share of the items tells nothing apart, and would make every search slow."""


class TermIndex(tf.Module):
    """An inverted file over the tokens of the items' texts and attributes, scored by BM25.

    Okapi BM25 (Robertson & Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond"), over the
    word pieces of the language model's tokeniser, so that it reads every script that the model reads.

    Args:
      terms: the token ids of each item.
      vocabulary: number of token ids.
    """

    def __init__(self, terms: Sequence[np.ndarray], vocabulary: int) -> None:
        super().__init__(name="term_index")
        weights = _bm25(terms, vocabulary)
        self._size = len(terms)
        self._splits = _constant(weights.indptr.astype(np.int64), "splits")
        self._items = _constant(weights.indices.astype(np.int32), "items")
        self._weights = _constant(weights.data.astype(np.float32), "weights")

    def scores(self, tokens: tf.Tensor) -> tf.Tensor:
        """Scores of all items for interests.

        Args:
          tokens: zero-padded ids `[I, T]`.

        Returns:
          `[I, N]` float, 0 for an item that has none of the tokens.
        """
        interests = tf.shape(tokens, tf.int64)[0]
        present = tf.where(tokens > 0)
        token = tf.gather_nd(tokens, present)
        postings = tf.ragged.range(tf.gather(self._splits, token), tf.gather(self._splits, token + 1))
        interest = tf.gather(present[:, 0], postings.value_rowids())
        place = interest * self._size + tf.cast(tf.gather(self._items, postings.flat_values), tf.int64)
        weights = tf.gather(self._weights, postings.flat_values)
        total = tf.math.unsorted_segment_sum(weights, place, interests * self._size)
        return tf.reshape(total, [interests, self._size])


def _constant(values: np.ndarray, name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)


def _bm25(terms: Sequence[np.ndarray], vocabulary: int) -> scipy.sparse.csc_matrix:
    lengths = np.array([len(row) for row in terms], np.float64)
    row = np.repeat(np.arange(len(terms)), lengths.astype(np.int64))
    column = np.concatenate([np.zeros(0, np.int64), *terms]).astype(np.int64)
    counts = scipy.sparse.csr_matrix((np.ones(len(row)), (row, column)), (len(terms), vocabulary)).tocsc()
    items = np.diff(counts.indptr)
    rarity = np.log1p((len(terms) - items + 0.5) / (items + 0.5))
    rarity[items > COMMON * len(terms)] = 0.0
    relative = lengths[counts.indices] / max(lengths.mean(), 1.0)
    counts.data *= (SATURATION + 1) / (counts.data + SATURATION * (1 - LENGTH_PART + LENGTH_PART * relative))
    counts.data *= np.repeat(rarity, items)
    counts.eliminate_zeros()
    return counts
