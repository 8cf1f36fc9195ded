"""Dropout inside of a model that is not ours, whose draws follow from a seed."""

from __future__ import annotations

import tensorflow as tf

from trainer.layers.dropout import dropout, split_seed


class SeededDropout(tf.keras.layers.Layer):
    """Stands in the place of a Keras dropout layer, which cannot be handed a seed.

    Args:
      rate: the share that is dropped.
      dtype: what it computes in.

    Attributes:
      rate: as given.
      seed: `[2]`; to be set before each call in training, see `hand_out`.
    """

    def __init__(self, rate: float, dtype: tf.keras.mixed_precision.Policy) -> None:
        super().__init__(dtype=dtype)
        self.rate = rate
        self.seed: tf.Tensor | None = None

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Drops in training."""
        return dropout(inputs, self.rate, self.seed) if training else inputs


def put_in(model: tf.keras.Model) -> None:
    """Puts a `SeededDropout` in the place of each attribute `dropout` of the layers of a TFBert."""
    for layer in model.submodules:
        before = getattr(layer, "dropout", None)
        if isinstance(before, tf.keras.layers.Dropout):
            layer.dropout = SeededDropout(before.rate, before.dtype_policy)


def hand_out(model: tf.keras.Model, seed: tf.Tensor) -> None:
    """Sets the seeds of the next call of a model: one for each `SeededDropout`, from `seed [2]`."""
    layers = [layer for layer in model.submodules if isinstance(layer, SeededDropout)]
    for layer, own in zip(layers, split_seed(seed, len(layers)), strict=True):
        layer.seed = own
