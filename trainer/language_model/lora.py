"""Low-rank adaptation of a BERT's attention."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.language_model.config import LoraConfig
from trainer.language_model.seeded_dropout import SeededDropout


class LoraDense(tf.keras.layers.Layer):
    """A dense layer whose kernel `W` learns a change of low rank, `W + alpha / rank * A B`.

    `B` starts at zero, so that nothing has changed before the first step (Hu et al. 2021,
    https://arxiv.org/abs/2106.09685).

    Args:
      dense: the layer, which has been built; its own weights stay as they are.
      config: rank, alpha and dropout.
    """

    def __init__(self, dense: tf.keras.layers.Dense, config: LoraConfig) -> None:
        super().__init__(name=dense.name, dtype=dense.dtype_policy)
        inputs, units = dense.kernel.shape
        self._dense = dense
        self._scale = config.alpha / config.rank
        self._dropout = SeededDropout(config.dropout, dense.dtype_policy)
        self.down = self.add_weight("down", [inputs, config.rank], initializer="lecun_normal")
        self.up = self.add_weight("up", [config.rank, units], initializer="zeros")

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Maps `[…, in]` to `[…, out]`."""
        low = tf.matmul(self._dropout(inputs, training=training), self.down)
        return self._dense(inputs) + self._scale * tf.matmul(low, self.up)

    def merge(self) -> tf.keras.layers.Dense:
        """Adds the change to the kernel, and gives the layer that now does the same alone."""
        self._dense.kernel.assign_add(self._scale * tf.matmul(self.down, self.up))
        self.up.assign(tf.zeros_like(self.up))  # what was traced before must not count it twice
        return self._dense


def _places(layer: Any, config: LoraConfig) -> list[tuple[Any, str]]:
    """The owners and attributes of the projections of one transformer layer."""
    attention = layer.attention
    owners = {"output": (attention.dense_output, "dense")}
    return [owners.get(name, (attention.self_attention, name)) for name in config.projections]


def add_lora(layers: list[Any], config: LoraConfig) -> list[LoraDense]:
    """Puts a `LoraDense` in the place of each projection of TFBert `layers`."""
    added = []
    for owner, name in (place for layer in layers for place in _places(layer, config)):
        added.append(LoraDense(getattr(owner, name), config))
        setattr(owner, name, added[-1])
    return added


def merge_lora(layers: list[Any], config: LoraConfig) -> None:
    """Puts the dense layers back, with what was learned in their kernels."""
    for owner, name in (place for layer in layers for place in _places(layer, config)):
        setattr(owner, name, getattr(owner, name).merge())
