"""The processes and devices that train together."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Cluster:
    """The processes, one or more workers of the same program, whose replicas do each step together.

    All workers must come to the same calls of this class in the same order: what one does not come to, the
    others wait for.

    Attributes:
      strategy: TensorFlow's; None on one device.
      worker: which of the workers this process is, from 0, which is the chief: it alone validates, decides
        and writes.
      workers: how many there are.
      input_options: how replicas are handed their batches, where the strategy's own way does not do.
    """

    strategy: tf.distribute.Strategy | None = None
    worker: int = 0
    workers: int = 1
    input_options: tf.distribute.InputOptions | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this process is the first of the workers."""
        return self.worker == 0

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Variables that are made while it lasts are there on every replica.

        Raises:
          SystemExit: another worker was lost, and nothing can be done in this process any more.
        """
        with contextlib.nullcontext() if self.strategy is None else self.strategy.scope():
            try:
                yield
            except tf.errors.OpError as error:
                if self.workers == 1:
                    raise
                raise SystemExit(
                    f"worker {self.worker} of {self.workers}: another worker was lost or the network failed; "
                    "start all again with the same command, and they go on from the newest checkpoint "
                    f"({' '.join(error.message.split())[:200]})"
                ) from None

    def _share(self, batches: tf.data.Dataset) -> Any:
        """What `fit` takes: each replica is handed every batch, of which it does its own rows."""
        if self.strategy is None:
            return batches
        here = self.strategy.num_replicas_in_sync // self.workers
        # The replicas of a worker take one element each.
        copies = batches.flat_map(lambda batch: tf.data.Dataset.from_tensors(batch).repeat(here))
        return self.strategy.distribute_datasets_from_function(
            lambda _: copies.prefetch(2 * here), self.input_options
        )

    def fit_epoch(
        self,
        model: tf.keras.Model,
        batches: tf.data.Dataset,
        epoch: int,
        callbacks: list[tf.keras.callbacks.Callback],
    ) -> None:
        """Trains a model for one epoch, counted from 0, on its batches, the same in every worker."""
        # Epochs differ in the number of their batches, which within one `fit` is taken for an error. That an
        # epoch of replicas ends where its batches do has to be said.
        steps = None if self.strategy is None else -1
        with contextlib.nullcontext() if self.strategy is None else _no_warnings():
            model.fit(
                self._share(batches),
                initial_epoch=epoch,
                epochs=epoch + 1,
                verbose=0,
                callbacks=callbacks,
                steps_per_epoch=steps,
            )

    def from_chief(self, tell: Callable[[], Any]) -> Any:
        """What the chief says, in every worker; what it is must fit into JSON."""
        if self.workers == 1:
            return tell()
        said = json.dumps(tell()).encode() if self.is_chief else b""
        size = int(self.total(np.int32(len(said))))
        letters = np.frombuffer(said, np.uint8) if self.is_chief else np.zeros(size, np.uint8)
        return json.loads(self.total(letters.astype(np.int32)).astype(np.uint8).tobytes())

    def total(self, values: np.ndarray | np.generic) -> np.ndarray:
        """The sum of the values of all workers."""
        if self.strategy is None or self.workers == 1:
            return np.asarray(values)
        total: np.ndarray = self.strategy.reduce("SUM", tf.constant(values), axis=None).numpy()
        return total


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Keras would warn that the batches of replicas may have no end."""
    logger = tf.get_logger()
    before = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)
