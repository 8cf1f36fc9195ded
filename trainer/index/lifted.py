"""Items that score more than their vectors say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.index.index import Index


class LiftedIndex(tf.Module):
    """Adds a constant to the scores of some items, in whatever way they are found.

    The constant is one more number of an item's vector, and every query has a 1 in its place (as biases are
    put into inner product search: Bachrach et al. 2014, "Speeding up the Xbox recommender system using a
    euclidean transformation for inner-product spaces").

    Args:
      build: makes the index of vectors `[N, D + 1]`.
      vectors: `[N, D]` float.
      lift: what each item's scores are lifted by `[N]` float.
    """

    def __init__(self, build: Callable[[np.ndarray], Index], vectors: np.ndarray, lift: np.ndarray) -> None:
        super().__init__(name="lifted_index")
        self._index = build(np.concatenate([vectors, lift[:, None].astype(vectors.dtype)], 1))

    def search(self, queries: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Searches for every query; see `trainer.index.Index.search`."""
        return self._index.search(tf.pad(queries, [[0, 0], [0, 1]], constant_values=1.0), count)
