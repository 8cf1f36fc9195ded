"""A running average of the weights, which judges and serves better than the weights themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

from trainer.distribution.id_tables.row_shards import copy_of


class WeightAverage(tf.Module):
    """Averages weights over the newest steps (Polyak & Juditsky 1992).

    Early in training few steps are averaged, so that the first, untrained weights are soon forgotten.

    Args:
      weights: the variables; they must have been made.
      decay: share of the average that a step keeps, once there have been enough steps.
    """

    def __init__(self, weights: Sequence[tf.Variable], decay: float) -> None:
        super().__init__(name="weight_average")
        self._decay = decay
        self._averages = [copy_of(weight) for weight in weights]
        # Hidden from tf.Module: the weights are the model's, and are kept with it.
        self._weights = lambda: weights

    def update(self, steps: tf.Tensor) -> None:
        """Takes the weights in; `steps` were taken so far."""

        def take_in(average: tf.Variable, weight: tf.Variable, steps: tf.Tensor) -> None:
            done = tf.cast(steps, tf.float32)
            decay = tf.minimum(self._decay, (1.0 + done) / (10.0 + done))
            average.assign_sub((1.0 - decay) * (average - weight))

        def on_every_device(strategy: tf.distribute.Strategy) -> None:
            for average, weight in zip(self._averages, self._weights(), strict=True):
                strategy.extended.update(average, take_in, (weight, steps), group=False)

        tf.distribute.get_replica_context().merge_call(on_every_device)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the averages in the place of the weights while the block lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        def swap(average: tf.Variable, weight: tf.Variable) -> None:
            current = tf.identity(weight)
            weight.assign(average)
            average.assign(current)

        extended = tf.distribute.get_strategy().extended
        for average, weight in zip(self._averages, self._weights(), strict=True):
            extended.update(average, swap, (weight,), group=False)
