"""What every index does."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf


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
