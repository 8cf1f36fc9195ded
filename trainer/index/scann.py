"""The ScaNN index."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import tensorflow as tf

from trainer.config import ScannConfig


class ScannIndex(tf.Module):
    """Finds the items whose vectors have the largest dot product with a query.

    Args:
      vectors: `[N, D]` float, each of length 1 but for what it is lifted by.
      config: exact scoring or partitions and quantisation, by the catalogue's size.
    """

    def __init__(self, vectors: np.ndarray, config: ScannConfig) -> None:
        super().__init__(name="scann_index")
        from scann.scann_ops.py import scann_ops

        self._size = len(vectors)
        builder = scann_ops.builder(vectors, num_neighbors=10, distance_measure="dot_product")
        self._reorder = self._leaves = 0
        if self._size <= config.brute_force_below:
            builder = builder.score_brute_force()
        else:
            leaves = config.leaves or 2 * round(math.sqrt(self._size))
            self._leaves = min(leaves, self._size)
            reads = config.leaves_to_search or round(2.5 * math.sqrt(self._leaves))
            builder = builder.tree(
                num_leaves=self._leaves,
                num_leaves_to_search=min(reads, self._leaves),
                training_sample_size=min(self._size, 250_000),
                spherical=True,  # the vectors have about length 1, so their leaves' centres should too
            )
            self._reorder = config.reorder
            builder = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(config.reorder)
        self._state = builder.build().serialize_to_module()
        # A resource without a name of its own is shared with any other index of the process.
        content = hashlib.sha256(vectors.tobytes() + config.model_dump_json().encode())
        self._resource = f"scann-{content.hexdigest()}"

    def search(self, queries: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Searches for every query; see `trainer.index.Index.search`."""
        from scann.scann_ops.py import scann_ops

        state = self._state
        searcher = scann_ops.ScannSearcher(
            scann_ops.tensors_to_scann(
                state.dataset,
                state.scann_config,
                state.serialized_partitioner,
                state.datapoint_to_token,
                state.ah_codebook,
                state.hashed_dataset,
                state.int8_dataset,
                state.int8_multipliers,
                state.dp_norms,
                shared_name=self._resource,
            )
        )
        count = tf.minimum(tf.cast(count, tf.int32), self._size)
        before_reordering = tf.maximum(count, self._reorder) if self._reorder else None
        found = searcher.search_batched(queries, count, before_reordering)
        if self._leaves:
            # Few leaves may hold fewer items than were asked for; then all leaves are searched.
            found = tf.cond(
                tf.reduce_all(tf.math.is_finite(found.distances)),
                lambda: found,
                lambda: searcher.search_batched(queries, count, before_reordering, self._leaves),
            )
        rows = tf.cast(found.indices, tf.int64)
        # Where ScaNN finds nothing it fills up with NaN.
        present = tf.logical_and(tf.math.is_finite(found.distances), rows < self._size)
        return tf.where(present, rows, 0), tf.where(present, found.distances, -math.inf)
