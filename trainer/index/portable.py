"""Indexes built of stock TensorFlow operations alone, so that any TensorFlow Serving can load them."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from trainer.config import PortableConfig
from trainer.index.partitions import partition
from trainer.progress import Progress


class ExactIndex(tf.Module):
    """Scores every item for every query.

    Args:
      vectors: `[N, D]` float.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__(name="exact_index")
        self._vectors = tf.Variable(vectors, trainable=False, name="vectors")

    def search(self, queries: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Searches for every query; see `trainer.index.Index.search`."""
        count = tf.minimum(tf.cast(count, tf.int32), self._vectors.shape[0])
        scores, rows = tf.math.top_k(tf.matmul(queries, self._vectors, transpose_b=True), count)
        return tf.cast(rows, tf.int64), scores


class PartitionedIndex(tf.Module):
    """Scores the items of the leaves that are nearest to a query: an inverted file.

    The leaves come from k-means, and a query reads the few whose centroids have the largest dot product
    with it (Sivic & Zisserman 2003, "Video Google"; Jégou et al. 2011, "Product quantization for nearest
    neighbor search", without the quantisation). A leaf's vectors lie together, so reading one copies nothing.

    Args:
      vectors: `[N, D]` float, each of length 1 but for what it is lifted by.
      config: the number of leaves, and how many of them a query reads.
      progress: where to show how far building is.
    """

    def __init__(self, vectors: np.ndarray, config: PortableConfig, progress: Progress) -> None:
        super().__init__(name="partitioned_index")
        leaves = min(config.leaves or round(math.sqrt(len(vectors))), len(vectors))
        self._reads = min(config.leaves_to_search or round(2 * math.sqrt(leaves)), leaves)
        centroids, order, splits = partition(vectors, leaves, progress)
        self._centroids = tf.Variable(centroids, trainable=False, name="centroids")
        self._rows = tf.Variable(order, trainable=False, name="rows")
        self._splits = tf.Variable(splits, trainable=False, name="splits")
        self._vectors = tf.Variable(vectors[order], trainable=False, name="vectors")

    def search(self, queries: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Searches for every query; see `trainer.index.Index.search`."""
        count = tf.minimum(tf.cast(count, tf.int32), self._vectors.shape[0])
        batch = tf.shape(queries)[0]
        # The results of no query at all could not be stacked: they would have no width.
        queries = tf.pad(queries, [[0, tf.cast(tf.equal(batch, 0), tf.int32)], [0, 0]])
        # Each query reads leaves of its own; all of a batch at once would take its memory many times over.
        rows, scores = tf.map_fn(
            lambda query: self._search_one(query, count),
            queries,
            fn_output_signature=(tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.float32)),
        )
        return rows[:batch], scores[:batch]

    def _search_one(self, query: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _, leaves = tf.math.top_k(tf.linalg.matvec(self._centroids, query), self._reads)
        starts, ends = tf.gather(self._splits, leaves), tf.gather(self._splits, leaves + 1)
        # Few leaves may hold fewer items than were asked for; then every item is scored.
        scores, places = tf.cond(
            tf.reduce_sum(ends - starts) >= count,
            lambda: self._score_leaves(query, starts, ends),
            lambda: self._score_all(query),
        )
        scores, best = tf.math.top_k(scores, count)
        return tf.gather(self._rows, tf.gather(places, best)), scores

    def _score_leaves(
        self, query: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores of what lies between each start and its end, and the places of that."""
        vectors = self._vectors.read_value()
        # A slice of whole rows shares the variable's memory, where gathering them would copy.
        scores = [
            tf.linalg.matvec(vectors[start:end], query)
            for start, end in zip(tf.unstack(starts), tf.unstack(ends), strict=True)
        ]
        return tf.concat(scores, 0), tf.ragged.range(starts, ends).values

    def _score_all(self, query: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.linalg.matvec(self._vectors, query), tf.range(self._vectors.shape[0])
