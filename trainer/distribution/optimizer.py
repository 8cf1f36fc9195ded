"""AdamW whose steps do not depend on the number of replicas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from trainer.distribution.id_tables.row_shards import RowShards
from trainer.distribution.replica import Replica

Gradients = Iterable[tuple[tf.Tensor, tf.Variable]]


class ReplicatedAdamW(tf.keras.optimizers.AdamW):
    """AdamW that scales gradients down by the norm of their sum.

    The gradient of a table's rows comes in pieces, several for a row that was looked up several times or on
    several replicas. Keras puts pieces together only after the norm was taken, of each apart; here it is
    done before.

    Where the rows of a table are divided among replicas, each has the whole gradient of its own rows already.
    It is not added up, and the others' parts of the norm are asked for.
    """

    def apply_gradients(self, grads_and_vars: Gradients, *arguments: Any, **options: Any) -> tf.Variable:
        """One step; see `tf.keras.optimizers.Optimizer.apply_gradients`."""
        pairs = list(grads_and_vars)
        if not any(isinstance(variable, RowShards) for _, variable in pairs):
            return super().apply_gradients(pairs, *arguments, **options)
        scaled = self._scaled_down(self.aggregate_gradients(pairs))
        # Keras takes the norm of what is here, which is no larger by now, and leaves it as it is.
        return super().apply_gradients(scaled, *arguments, skip_gradients_aggregation=True, **options)

    def aggregate_gradients(self, grads_and_vars: Gradients) -> Gradients:
        """Sums gradients over replicas, and over the pieces of a row."""
        pairs = list(grads_and_vars)
        shared = [pair for pair in pairs if not isinstance(pair[1], RowShards)]
        sums = iter(super().aggregate_gradients(shared))
        whole = [pair if isinstance(pair[1], RowShards) else next(sums) for pair in pairs]
        return [
            (_with_whole_rows(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient, variable)
            for gradient, variable in whole
        ]

    def add_variable_from_reference(
        self, model_variable: tf.Variable, variable_name: str, shape: Any = None, initial_value: Any = None
    ) -> tf.Variable:
        """Makes a variable like one of the model's, which is divided among replicas as that is."""
        if not isinstance(model_variable, RowShards):
            return super().add_variable_from_reference(model_variable, variable_name, shape, initial_value)
        moments = model_variable.zeros_alike(f"{variable_name}/{model_variable.name.removesuffix(':0')}")
        self._variables.append(moments)
        return moments

    def _scaled_down(self, pairs: Gradients) -> Gradients:
        gradients, variables = zip(*pairs, strict=True)
        norm = joint_norm(gradients, variables)
        return zip(tf.clip_by_global_norm(gradients, self.global_clipnorm, norm)[0], variables, strict=True)

    def _deduplicate_sparse_grad(self, grads: list[tf.Tensor]) -> list[tf.Tensor]:
        """Leaves gradients as they are: Keras would put pieces together here."""
        return grads


def joint_norm(gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> tf.Tensor:
    """The norm of gradients, of which those of divided tables are of a replica's own rows."""
    parts: tuple[list[tf.Tensor], list[tf.Tensor]] = ([], [])
    for gradient, variable in zip(gradients, variables, strict=True):
        parts[isinstance(variable, RowShards)].append(gradient)
    shared, own = (tf.linalg.global_norm(part) ** 2 for part in parts)
    return tf.sqrt(shared + Replica.here().total(own))


def _with_whole_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    indices, rows = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, rows, tf.size(indices))
    return tf.IndexedSlices(values, indices, gradient.dense_shape)
