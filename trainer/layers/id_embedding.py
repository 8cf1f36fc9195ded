"""An embedding for each item that has an ID of its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.distribution.id_tables.tables import IdTables


class IdEmbedding(tf.keras.layers.Embedding):
    """The embeddings of items by index.

    Args:
      id_tables: which hold them.
      rows: number of indices.
      dimension: width D.
    """

    def __init__(self, id_tables: IdTables, rows: int, dimension: int, **kwargs: Any) -> None:
        super().__init__(rows, dimension, **kwargs)
        self._id_tables = id_tables

    def build(self, input_shape: Any) -> None:
        """Makes the table."""
        shape = [self.input_dim, self.output_dim]
        self.embeddings = self._id_tables.add("items", self, "embeddings", shape, self.embeddings_initializer)
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The embeddings of `[…]` as `[…, D]`."""
        if isinstance(self.embeddings, tf.Variable):
            return super().call(inputs)
        return tf.gather(self.embeddings, inputs)  # of what Keras does not take for a table
