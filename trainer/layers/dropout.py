"""Dropout whose draws follow from a seed alone, and not from what this process has drawn before."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def dropout(values: tf.Tensor, rate: float, seed: tf.Tensor | None) -> tf.Tensor:
    """Sets a share of `values` to zero and scales up the others (Srivastava et al. 2014).

    Args:
      values: of any shape.
      rate: the share.
      seed: `[2]`; the same drops the same. None drops nothing.
    """
    if seed is None or not rate:
        return values
    return tf.nn.experimental.stateless_dropout(values, rate, seed)


def split_seed(seed: tf.Tensor | None, count: int) -> Sequence[tf.Tensor | None]:
    """So many seeds `[2]` from one; of none, none."""
    return [None] * count if seed is None else tf.unstack(tf.random.split(seed, count))
