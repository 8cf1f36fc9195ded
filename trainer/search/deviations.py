"""How far a likeness stands out among all items."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

NOISE = 1e-3
"""Products of vectors that deviate by less than this differ by rounding alone."""


def deviations(values: tf.Tensor, population: tf.Tensor) -> tf.Tensor:
    """Values `[I, M]` in standard deviations above the mean of a population `[I, S]`; 0 if all are one."""
    mean, variance = tf.nn.moments(population, 1, keepdims=True)
    return tf.math.divide_no_nan(values - mean, tf.sqrt(variance))


class Population(tf.Module):
    """Knows the mean and the deviation of the products of any query with all of some vectors.

    They follow from the vectors' mean `m` and covariance `C`: the products with a query `q` have the mean
    `q m` and the variance `q C q`, so that no vector is read for them.

    Args:
      vectors: `[N, H]` float, of about length 1; N may be 0.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__(name="population")
        count = max(len(vectors), 1)
        mean = vectors.sum(0, dtype=np.float64) / count
        covariance = vectors.T @ vectors / count - np.outer(mean, mean)
        self._mean = tf.Variable(mean.astype(np.float32), trainable=False, name="mean")
        self._covariance = tf.Variable(covariance.astype(np.float32), trainable=False, name="covariance")

    def deviations(self, values: tf.Tensor, queries: tf.Tensor) -> tf.Tensor:
        """Products `[I, M]` of queries `[I, H]` in standard deviations above the mean; 0 if all are one."""
        mean = tf.linalg.matvec(queries, self._mean)
        variance = tf.reduce_sum(tf.matmul(queries, self._covariance) * queries, 1)
        deviation = tf.sqrt(tf.maximum(variance, 0.0))
        deviation = tf.where(deviation < NOISE, 0.0, deviation)
        return tf.math.divide_no_nan(values - mean[:, None], deviation[:, None])
