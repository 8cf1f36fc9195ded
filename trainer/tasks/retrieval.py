"""The retrieval objective: a softmax over items, of which all or a sample are the candidates."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

QUERIES = 512
"""So many queries are scored at a time: their scores stay near the processor and are never all kept."""


class CandidateSoftmax(tfrs.tasks.Task, tf.keras.layers.Layer):
    """Cross-entropy of the next item against candidates, each of which stands for `weight` items.

    With all items as candidates and weights of 1 this is the softmax over the catalogue. With a sample,
    a weight is how often the candidate was drawn over how often that was to be expected, so that the sum
    over the sample estimates the sum over the catalogue without bias (log-Q correction: Bengio & Senécal
    2003, "Quick training of probabilistic neural nets by importance sampling"). The target itself is
    always there and not drawn, so it counts once and its accidental draws are removed (Khrylchenko et al.
    2025, "Correcting the LogQ correction").

    Args:
      temperature: divides the scores.
      at_a_time: so many queries are scored at a time, or all of them when None, which is for XLA.
      hardness: 0 weights negatives alike; above it they are tilted by `exp(hardness * score)` towards those
        that are taken for the target (Robinson et al. 2021, "Contrastive learning with hard negative
        samples").
    """

    def __init__(
        self, temperature: float, hardness: float = 0.0, at_a_time: int | None = QUERIES, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._at_a_time = at_a_time
        self._temperature = temperature
        self._hardness = hardness

    def call(
        self,
        queries: tf.Tensor,
        candidates: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor,
        count: tf.Tensor,
    ) -> tf.Tensor:
        """The mean loss; scores are exponentiated as they are, so vectors must not be longer than 1.

        Args:
          queries: user vectors `[P, D]`.
          candidates: item vectors `[M, D]`.
          targets: the row of each query's next item among the candidates `[P]`.
          weights: `[M]`, 0 for a candidate that is no negative.
          count: how many queries the mean is of, those of other replicas included; a float.

        Returns:
          a scalar, what these queries add to the mean; 0 without queries.
        """

        # The gradient comes with the loss, so the scores [P, M] are needed once and never kept, which is
        # twice as fast on a CPU as to go through them again, and fits any catalogue into memory.
        @tf.custom_gradient
        def mean_loss(queries: tf.Tensor, candidates: tf.Tensor) -> tuple[tf.Tensor, Any]:
            loss, by_query, by_candidate = self._sums(queries, candidates, targets, weights)
            share = 1.0 / tf.maximum(count, 1.0)

            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                scale = upstream * share / self._temperature
                return scale * by_query, scale * by_candidate

            return loss * share, gradient

        return mean_loss(queries, candidates)

    def _sums(
        self, queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The summed loss, and its gradients by the scores' two factors."""
        if self._at_a_time is None:
            return self._sums_at_once(queries, candidates, targets, weights)
        at_a_time = self._at_a_time
        parts = tf.maximum((tf.shape(queries)[0] + at_a_time - 1) // at_a_time, 1)
        gradients = tf.TensorArray(
            queries.dtype, parts, infer_shape=False, element_shape=[None, queries.shape[-1]]
        )

        def add(
            part: tf.Tensor, loss: tf.Tensor, by_candidate: tf.Tensor, gradients: tf.TensorArray
        ) -> tuple[tf.Tensor, ...]:
            rows = slice(part * at_a_time, (part + 1) * at_a_time)
            more, by_query, by_candidates = self._sums_at_once(
                queries[rows], candidates, targets[rows], weights
            )
            return part + 1, loss + more, by_candidate + by_candidates, gradients.write(part, by_query)

        _, loss, by_candidate, gradients = tf.while_loop(
            lambda part, *_: part < parts,
            add,
            (0, tf.zeros([], queries.dtype), tf.zeros_like(candidates), gradients),
            parallel_iterations=1,
        )
        return loss, tf.reshape(gradients.concat(), tf.shape(queries)), by_candidate

    def _sums_at_once(
        self, queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        wanted = tf.gather(candidates, targets)
        own_score = (tf.reduce_sum(queries * wanted, 1, keepdims=True) - 1.0) / self._temperature
        scores = tf.matmul(queries / self._temperature, candidates, transpose_b=True)
        own, negatives, drawn = self._masses(own_score, scores, tf.gather(weights, targets), weights)
        total = own + tf.reduce_sum(negatives, 1, keepdims=True) - drawn
        # Rows of `negatives` over `total` are probabilities; the target's is put right apart.
        correction = (own - drawn) / total - 1.0
        by_query = tf.matmul(negatives, candidates) / total + correction * wanted
        by_candidate = tf.matmul(negatives, queries / total, transpose_a=True)
        by_candidate += tf.math.unsorted_segment_sum(correction * queries, targets, tf.shape(candidates)[0])
        return tf.reduce_sum(tf.math.log(total) - own_score), by_query, by_candidate

    def _masses(
        self, own_score: tf.Tensor, scores: tf.Tensor, own_weight: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What the target, the candidates `[P, M]`, and the target as a candidate add to the sum."""
        # Weights enter as logarithms together with the largest possible score: one pass over the scores.
        shift = tf.math.log(weights) - 1.0 / self._temperature
        own, negatives = tf.exp(own_score), tf.exp(scores + shift)
        drawn = own * own_weight[:, None]
        if self._hardness:
            tilt = tf.exp(self._hardness * (scores - 1.0 / self._temperature))
            mean = tf.matmul(tilt, weights[:, None]) / tf.reduce_sum(weights)
            negatives *= tilt / mean
            drawn *= tf.exp(self._hardness * own_score) / mean
        return own, negatives, drawn
