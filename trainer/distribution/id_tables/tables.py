"""The tables of item and user IDs, held whole by every replica."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import tensorflow as tf

from trainer.distribution.cluster import Cluster
from trainer.draw import Draw

Entity = Literal["items", "users"]


class IdTables:
    """The embeddings of items and users by index, of which every replica holds all rows.

    Other ways to hold them override what differs. A layer `add`s the table that it reads. What a training
    step reads may be looked up for it; everything else reads the variables.
    """

    def add(
        self, entity: Entity, layer: tf.keras.layers.Layer, name: str, shape: Sequence[int], initializer: Any
    ) -> tf.Variable:
        """Makes a trainable table of a layer, to be kept as one of its attributes.

        Args:
          entity: whose rows these are.
          layer: that reads it.
          name: of the weight.
          shape: rows and width.
          initializer: of the values, as `tf.keras.layers.Layer.add_weight` takes it.
        """
        return layer.add_weight(name, shape, initializer=initializer)

    def look_up(self, draw: Draw, known_user: Callable[[tf.Tensor], tf.Tensor]) -> Draw:
        """Reads what a step needs, where layers cannot; here they can.

        Args:
          draw: of the whole batch.
          known_user: gives the row of each user.
        """
        return draw

    def prepared(
        self,
        batches: tf.data.Dataset,
        draw: Callable[..., Draw],
        known_user: Callable[[tf.Tensor], tf.Tensor],
    ) -> tf.data.Dataset:
        """Puts beside batches what `look_up` must be told of them on the host; here that is nothing.

        Args:
          batches: of training.
          draw: what the model makes of a batch, see `trainer.model.Tandem.draw`.
          known_user: gives the row of each user.
        """
        return batches

    def whole(self, cluster: Cluster) -> AbstractContextManager[None]:
        """Lets the chief read the tables outside of steps; all workers must come to it."""
        return contextlib.nullcontext()
