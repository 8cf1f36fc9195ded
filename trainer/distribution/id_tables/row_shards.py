"""A variable whose rows are divided among replicas."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.checkpoint.tensor_callable import Callable as Deferred
from tensorflow.python.distribute.values import DistributedVariable

from trainer.distribution.cluster import Cluster

VALUE = "VARIABLE_VALUE"
"""What a checkpoint calls the value of any variable."""
AT_A_TIME = 1 << 18
"""So many rows are exchanged between workers at a time."""


class RowShards(DistributedVariable):
    """A table of which replica r of n holds the rows r, r + n, r + 2n and so on, in memory of its own.

    In a step a replica sees its part `[ceil(rows / n), …]`, and what is done to the variable, a step of Adam
    for one, is done to that. Outside of steps the variable is the whole table: it is read, assigned and kept
    in checkpoints as if no row were elsewhere, so these depend on no number of replicas. Reading it then
    takes all workers at once; in a `collected` block the chief can read it alone.

    This is what TensorFlow calls a variable synchronised on read, with its parts put side by side instead of
    summed up. There is no public class to derive from.
    """

    _collected: np.ndarray | None = None

    @classmethod
    def of(cls, whole: np.ndarray, name: str, trainable: bool = True) -> RowShards:
        """Divides a table; to be called in the scope of a strategy, with the same values by all workers."""
        strategy = tf.distribute.get_strategy()
        table = cls._empty(strategy, whole.shape, name, trainable)
        table.assign(whole)
        return table

    @classmethod
    def _empty(cls, strategy: tf.distribute.Strategy, shape: Any, name: str, trainable: bool) -> RowShards:
        rows = -(-shape[0] // strategy.num_replicas_in_sync)
        parts = tf.Variable(
            tf.zeros([rows, *shape[1:]]),
            trainable=trainable,
            name=name,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.NONE,
        )
        table = cls(strategy, strategy.experimental_local_results(parts), tf.VariableAggregation.NONE)
        table._whole_shape = tf.TensorShape(shape)
        return table

    def zeros_alike(self, name: str) -> RowShards:
        """A table of the same shape, divided alike, of zeros; not trainable."""
        return self._empty(self.distribute_strategy, self.shape, name, trainable=False)

    def copy(self) -> RowShards:
        """A table of the same values, divided alike; not trainable."""
        table = self.zeros_alike(self.name.removesuffix(":0"))
        for part, same in zip(table.values, self.values, strict=True):
            part.assign(same)
        return table

    @property
    def shape(self) -> tf.TensorShape:
        """Of the whole table."""
        return self._whole_shape

    def _own_rows(self) -> list[slice]:
        """The rows of each replica of this worker."""
        strategy = self.distribute_strategy
        numbers = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(context.replica_id_in_sync_group)
        )
        count = strategy.num_replicas_in_sync
        return [slice(int(number), None, count) for number in strategy.experimental_local_results(numbers)]

    def _pieces(self, keep: bool) -> np.ndarray:
        """The whole table, or nothing where it is not kept; all workers must call it."""
        strategy, places = self.distribute_strategy, self._own_rows()
        if len(places) == strategy.num_replicas_in_sync:
            whole = np.empty(self.shape, self.dtype.as_numpy_dtype)
            for rows, part in zip(places, self.values, strict=True):
                whole[rows] = part.numpy()[: len(whole[rows])]
            return whole
        own = [part.numpy() for part in self.values]
        count, pieces = strategy.num_replicas_in_sync, []
        for begin in range(0, len(own[0]), AT_A_TIME):
            taken = own[0][begin : begin + AT_A_TIME]
            piece = np.zeros([len(taken), count, *taken.shape[1:]], taken.dtype)
            for rows, part in zip(places, own, strict=True):
                piece[:, rows.start] = part[begin : begin + AT_A_TIME]
            total = strategy.reduce("SUM", tf.constant(piece), axis=None)
            if keep:
                pieces.append(total.numpy().reshape([-1, *taken.shape[1:]]))
        return np.concatenate(pieces)[: self.shape[0]] if keep else np.zeros([0])

    @contextlib.contextmanager
    def _kept_whole(self, cluster: Cluster) -> Iterator[None]:
        if self._collected is not None:
            yield
            return
        self._collected = self._pieces(keep=cluster.is_chief)
        try:
            yield
        finally:
            self._collected = None

    def sparse_read(self, indices: tf.Tensor, name: str | None = None) -> tf.Tensor:
        """Rows by number, as `tf.gather` asks for them: in a step the replica's part is read."""
        if not _is_outside_of_steps():
            return self._get().sparse_read(indices, name)
        if tf.executing_eagerly():
            return tf.constant(self._get_cross_replica().numpy()[np.asarray(indices)])
        rows = tf.numpy_function(self._collected_rows, [indices], self.dtype)
        return tf.ensure_shape(rows, indices.shape + self.shape[1:])

    def _collected_rows(self, indices: np.ndarray) -> np.ndarray:
        if self._collected is None:
            raise ValueError(f"{self.name} is divided among replicas and was not collected")
        rows: np.ndarray = self._collected[indices]
        return rows

    def value(self) -> tf.Tensor:
        """What can be seen from here: a replica's part, or outside of steps the table."""
        return self.read_value()

    def _get_cross_replica(self) -> tf.Tensor:
        whole = self._pieces(keep=True) if self._collected is None else self._collected
        with tf.device("CPU:0"):
            return tf.constant(whole)

    def _update_cross_replica(self, update_fn: Callable[..., Any], value: Any, **options: Any) -> RowShards:
        whole = np.asarray(value)
        if whole.shape != tuple(self.shape):
            raise ValueError(f"{self.name} has the shape {self.shape}, not {whole.shape}")
        for rows, part in zip(self._own_rows(), self.values, strict=True):
            own = whole[rows]
            padding = [(0, part.shape[0] - len(own)), *[(0, 0)] * (whole.ndim - 1)]
            with tf.device(part.device):
                update_fn(part, np.pad(own, padding), **options)
        return self

    def _update_replica(self, update_fn: Callable[..., Any], value: Any, **options: Any) -> Any:
        return update_fn(self._get_on_device_or_primary(), value, **options)

    def _serialize_to_tensors(self) -> dict[str, Any]:
        return {VALUE: Deferred(self._get_cross_replica, self.dtype, self._primary.device)}

    def _restore_from_tensors(self, restored: dict[str, tf.Tensor]) -> RowShards:
        return self.assign(restored[VALUE])


def copy_of(variable: tf.Variable) -> tf.Variable:
    """Another variable of the same value, held where that is; not trainable."""
    return variable.copy() if isinstance(variable, RowShards) else tf.Variable(variable, trainable=False)


def _is_outside_of_steps() -> bool:
    return tf.distribute.in_cross_replica_context() or not tf.distribute.has_strategy()


@contextlib.contextmanager
def collected(variables: Iterable[Any], cluster: Cluster) -> Iterator[None]:
    """Keeps divided tables whole in the chief's memory while the block lasts; all workers must come to it.

    Args:
      variables: of which those that are not divided are left as they are.
      cluster: that trains.
    """
    with contextlib.ExitStack() as stack:
        for table in variables:
            if isinstance(table, RowShards):
                stack.enter_context(table._kept_whole(cluster))
        yield
