"""Divides vectors into leaves by k-means."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.progress import Progress
from trainer.tracing import graph

SAMPLE_PER_LEAF = 100
"""Centroids are learned from so many vectors a leaf: more moves them little and takes longer."""

ITERATIONS = 10
CHUNK = 8192
"""So many vectors are compared with all centroids at once."""


def partition(
    vectors: np.ndarray, leaves: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divides vectors into leaves by spherical k-means (Dhillon & Modha 2001) on a sample of them.

    The same vectors give the same leaves.

    Args:
      vectors: `[N, D]` float, each of length 1 but for what it is lifted by.
      leaves: how many leaves L to make, at most N.
      progress: where to show it.

    Returns:
      centroids `[L, D]`; the rows of `vectors` leaf by leaf `[N]` int64; and where in these each leaf
      starts and the last one ends `[L + 1]` int32.
    """
    generator = np.random.default_rng(0)
    size = min(len(vectors), leaves * SAMPLE_PER_LEAF)
    sample = vectors[np.sort(generator.choice(len(vectors), size, replace=False))]
    centroids = sample[generator.choice(size, leaves, replace=False)]
    with progress.bar("Dividing the items into leaves", ITERATIONS * size + len(vectors)) as advance:
        for _ in range(ITERATIONS):
            order, splits = _group(_nearest(sample, centroids), leaves)
            centroids = _means(sample, order, splits, generator)
            advance(size)
        order, splits = _group(_nearest(vectors, centroids), leaves)
        advance(len(vectors))
    return centroids, order, splits.astype(np.int32)


@graph
def _largest(vectors: tf.Tensor, centroids: tf.Tensor) -> tf.Tensor:
    return tf.argmax(tf.matmul(vectors, centroids, transpose_b=True), 1)


def _nearest(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The leaf of each vector `[N]`."""
    chunks = (vectors[begin : begin + CHUNK] for begin in range(0, len(vectors), CHUNK))
    return np.concatenate([_largest(chunk, centroids).numpy() for chunk in chunks])


def _group(leaf: np.ndarray, leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows leaf by leaf, and where each leaf starts."""
    return np.argsort(leaf, kind="stable"), np.r_[0, np.cumsum(np.bincount(leaf, minlength=leaves))]


def _means(
    sample: np.ndarray, order: np.ndarray, splits: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The mean of each leaf, scaled to length 1; an empty leaf starts anew from one of the sample."""
    filled = np.diff(splits) > 0
    means = sample[generator.choice(len(sample), len(filled))]
    means[filled] = np.add.reduceat(sample[order], splits[:-1][filled], axis=0)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
