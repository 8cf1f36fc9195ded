"""Which items a training step needs: the whole catalogue, or those of the batch and a uniform sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED
from trainer.config import NegativesConfig


@dataclass(frozen=True)
class StepItems:
    """The items that one training step embeds.

    Attributes:
      index: their indices `[M]`, each once.
      row: for each place of the batch `[B, L]` the row of `index` that holds its item.
      weights: `[M]`; how many items of the catalogue a candidate stands for, see
        `trainer.tasks.retrieval.CandidateSoftmax`.
      text: their text vectors `[M, H]`, where the step does not take those of the table.
      ids: their ID embeddings `[M, D]`, where the step does not take those of the table.
    """

    index: tf.Tensor
    row: tf.Tensor
    weights: tf.Tensor
    text: tf.Tensor | None = None
    ids: tf.Tensor | None = None


class WholeCatalogue:
    """Every step embeds all items; those that training never saw are no candidates.

    Items that are never a target would only be pushed away, so they stay out of the softmax.

    Args:
      size: number of item indices.
      first_unseen: indices from here on have no training interaction.
    """

    def __init__(self, size: int, first_unseen: int) -> None:
        self._index = tf.range(size, dtype=tf.int64)
        trained = tf.logical_and(self._index >= RESERVED, self._index < first_unseen)
        self._weights = tf.cast(trained, tf.float32)

    def __call__(self, items: tf.Tensor, valid: tf.Tensor, seed: tf.Tensor) -> StepItems:
        """The step of a batch of item indices `[B, L]`; `valid` and `seed` play no part."""
        return StepItems(self._index, items, self._weights)


class SampledItems:
    """A step embeds the items of its batch and a uniform sample, and corrects for how they were drawn.

    Targets of the batch are negatives for each other, drawn by popularity; uniform draws make sure that
    every item is pushed away now and then (mixed negative sampling: Yang et al. 2020).

    Args:
      counts: training interactions by item index `[N]`.
      first_unseen: indices from here on are never drawn.
      uniform: how many are drawn uniformly.
    """

    def __init__(self, counts: np.ndarray, first_unseen: int, uniform: int) -> None:
        trained = counts[:first_unseen].astype(np.float64)
        self._share = tf.constant(trained / trained.sum(), tf.float32)
        self._first_unseen = first_unseen
        self._uniform = uniform

    def __call__(self, items: tf.Tensor, valid: tf.Tensor, seed: tf.Tensor) -> StepItems:
        """The step of a batch of item indices.

        Args:
          items: `[B, L]`.
          valid: which of them are targets `[B, L]`.
          seed: `[2]`; the same draws the same, on every replica.
        """
        drawn = tf.random.stateless_uniform(
            [self._uniform], seed, RESERVED, self._first_unseen, dtype=tf.int64
        )
        index, rows = tf.unique(tf.concat([tf.reshape(items, [-1]), drawn], 0), tf.int64)
        places = tf.size(items)
        targets = tf.cast(tf.reshape(valid, [-1]), tf.float32)
        times = tf.concat([targets, tf.ones([self._uniform])], 0)
        times = tf.math.unsorted_segment_sum(times, rows, tf.size(index))
        expected = tf.reduce_sum(targets) * tf.gather(self._share, tf.minimum(index, self._first_unseen - 1))
        expected += self._uniform / (self._first_unseen - RESERVED)
        candidate = tf.logical_and(index >= RESERVED, index < self._first_unseen)
        weights = tf.where(candidate, times / expected, 0.0)
        return StepItems(index, tf.reshape(rows[:places], tf.shape(items)), weights)


def takes_all(config: NegativesConfig, first_unseen: int) -> bool:
    """Whether every step embeds all items."""
    fits = first_unseen - RESERVED <= config.full_below
    return config.kind == "full" or (config.kind == "auto" and fits)


def step_items(
    config: NegativesConfig, counts: np.ndarray, first_unseen: int
) -> WholeCatalogue | SampledItems:
    """Chooses by the config and, when it leaves that open, by the catalogue's size."""
    if takes_all(config, first_unseen):
        return WholeCatalogue(len(counts), first_unseen)
    return SampledItems(counts, first_unseen, config.uniform)
