"""The index over item vectors that travels inside the SavedModel, one module a kind."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from trainer.config import ExportConfig
from trainer.index.portable import ExactIndex, PartitionedIndex
from trainer.index.scann import ScannIndex
from trainer.progress import Progress


class Index(Protocol):
    """Finds the items whose vectors have the largest dot product with a query."""

    def search(self, queries: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Searches for every query.

        Args:
          queries: `[B, D]`.
          count: how many neighbours to find, at most N.

        Returns:
          rows of the indexed vectors `[B, count]` int64 and dot products `[B, count]`, falling; a place for
          which nothing was found has the score -inf, and there are such places only when all that
          there is was found.
        """


def build_index(vectors: np.ndarray, config: ExportConfig, progress: Progress) -> Index:
    """Builds the index that the config asks for.

    Args:
      vectors: `[N, D]` float, each of length 1.
      config: which kind, and its sizes.
      progress: where to show it.
    """
    progress.say(f"Building the {config.index} index of {len(vectors):,} items")
    if config.index == "scann":
        return ScannIndex(vectors, config.scann)
    if len(vectors) <= config.portable.brute_force_below:
        return ExactIndex(vectors)
    return PartitionedIndex(vectors, config.portable, progress)
