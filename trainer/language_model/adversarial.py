"""Adversarial training of the language model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from preprocessing.schema import Schema
from trainer.config import ModelConfig
from trainer.dataset import EntityTable
from trainer.distribution.id_tables.tables import IdTables
from trainer.language_model.config import TuningConfig
from trainer.language_model.tuned import TunedLanguageModel
from trainer.language_model.tuned_tandem import TunedTandem
from trainer.tracing import as_written


class AdversarialTandem(TunedTandem):
    """Learns each step twice: from the texts as they are, and with their word embeddings moved (FGM).

    They are moved along the gradient of the loss, which is where it hurts most, by a length of `adversarial`
    for each text, all its tokens together (Miyato et al. 2017, https://arxiv.org/abs/1605.07725). The
    gradients of both are added; what is drawn at random for the step is the same.

    Args:
      see `TunedTandem`.
    """

    def __init__(
        self,
        schema: Schema,
        config: ModelConfig,
        items: EntityTable,
        users: EntityTable,
        language_model: TunedLanguageModel,
        tuning: TuningConfig,
        id_tables: IdTables | None = None,
    ) -> None:
        super().__init__(schema, config, items, users, language_model, tuning, id_tables)
        self._length = tuning.adversarial
        self._width = language_model.width

    @as_written
    def train_step(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimizer step on a batch; the losses told are those of the texts as they are."""
        with tf.control_dependencies(list(inputs.values())):  # see `Tandem.train_step`
            self._learn_twice(inputs)
        return {metric.name: metric.result() for metric in self.metrics}

    def _learn_twice(self, inputs: dict[str, tf.Tensor]) -> None:
        weights = self.trainable_variables
        draw = self.draw(inputs, training=True)
        rows, tokens = self.choose(draw)
        noise = tf.zeros(tf.concat([tf.shape(tokens), [self._width]], 0))
        with tf.GradientTape() as tape:
            tape.watch(noise)
            losses = self.objectives(self.read(draw, rows, tokens, noise), training=True)
        gradients, slope = tape.gradient(losses["mean"], (weights, noise))
        noise = self._length * tf.math.l2_normalize(slope, (1, 2))
        with tf.GradientTape() as tape:
            moved = self.objectives(self.read(draw, rows, tokens, noise), training=True)
        more = tape.gradient(moved["mean"], weights)
        both = [_sum(one, other) for one, other in zip(gradients, more, strict=True)]
        self.optimizer.apply_gradients(zip(both, weights, strict=True))
        self.report(losses)
        self.average.update(self.optimizer.iterations)


def _sum(one: Any, other: Any) -> Any:
    """The sum of two gradients of one weight; those of an embedding's rows stay sparse."""
    if one is None:
        return other
    if other is None:
        return one
    if isinstance(one, tf.IndexedSlices) and isinstance(other, tf.IndexedSlices):
        values = tf.concat([one.values, other.values], 0)
        return tf.IndexedSlices(values, tf.concat([one.indices, other.indices], 0), one.dense_shape)
    return tf.convert_to_tensor(one) + tf.convert_to_tensor(other)
