"""The items of a SavedModel: ids, titles and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, write_vocabulary
from trainer.raw_columns import Vocabulary

LOWEST = tf.float32.min
"""The score of a place that holds no item; finite, so that it survives JSON."""


class Catalogue(tf.Module):
    """What a SavedModel knows of each item, by index; the two reserved indices have empty rows.

    Args:
      ids: `[N]`.
      titles: what people call the items `[N]`.
      vectors: `[N, D]` float.
      new: whether training saw no interaction with an item `[N]` bool.
      scratch: a folder for the ids' vocabulary; it must last until the model is saved.

    Attributes:
      item_ids, titles, vectors, new: as given, as variables.
    """

    def __init__(
        self, ids: Sequence[str], titles: Sequence[str], vectors: np.ndarray, new: np.ndarray, scratch: Path
    ) -> None:
        super().__init__(name="catalogue")
        self.item_ids = tf.Variable(tf.constant(list(ids)), trainable=False, name="item_ids")
        self.titles = tf.Variable(tf.constant(list(titles)), trainable=False, name="titles")
        self.vectors = tf.Variable(vectors, trainable=False, name="item_vectors")
        self.new = tf.Variable(new, trainable=False, name="new_items")
        path = scratch / "vocabulary-items.txt"
        write_vocabulary(path, list(ids[RESERVED:]))
        self._vocabulary = Vocabulary(path)

    def index(self, item_id: tf.Tensor) -> tf.Tensor:
        """Indices of ids of any shape, int64: 0 for `""`, 1 for an id that is not there."""
        return self._vocabulary(item_id)
