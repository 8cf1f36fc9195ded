"""What happens after each epoch: validation, checkpoints, and the decision to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from preprocessing.schema import InputError
from trainer.distribution.checkpoints import Checkpoints
from trainer.distribution.cluster import Cluster
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.validation import Validation


class Journal(tf.keras.callbacks.Callback):
    """Validates after each epoch, keeps the newest and the best checkpoint, and stops in time.

    What is validated, and kept as the best, is the running average of the weights; a language model that
    learns reads all texts with it, for validation and for the next epoch. Making a journal
    restores the newest checkpoint of the folder, if there is one. Of several workers the chief alone
    validates and writes, and all go by what it says.

    Args:
      training: the training folder.
      logs: where TensorBoard's files go.
      model: prepared for training.
      validation: measures the model.
      patience: epochs without a better NDCG@10 before it stops.
      progress: where epochs are told.
      cluster: that trains.
    """

    def __init__(
        self,
        training: Path,
        logs: Path,
        model: Tandem,
        validation: Validation,
        patience: int,
        progress: Progress,
        cluster: Cluster,
    ) -> None:
        super().__init__()
        self._cluster = cluster
        self._validation = validation
        self._patience = patience
        self._progress = progress
        parts = ("train", "validation") if cluster.is_chief else ()
        self._writers = {part: tf.summary.create_file_writer(str(logs / part)) for part in parts}
        self._epochs = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._best_epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._best_ndcg = tf.Variable(-1.0, trainable=False, dtype=tf.float64)
        self._newest = Checkpoints(
            training / "checkpoints",
            cluster,
            model=model,
            optimizer=model.optimizer,
            average=model.average,
            epochs=self._epochs,
            best_epoch=self._best_epoch,
            best_ndcg=self._best_ndcg,
        )
        self._best = Checkpoints(training / "best", cluster, model=model)
        if self._newest.newest:
            self._newest.restore()

    @property
    def epochs(self) -> int:
        """Whole epochs that were trained, those before an interruption included."""
        return int(self._epochs.numpy())

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the best validation NDCG@10."""
        return int(self._best_epoch.numpy())

    @property
    def finished(self) -> bool:
        """Whether patience has run out."""
        return self.epochs - self.best_epoch >= self._patience

    def restore_best(self) -> None:
        """Puts the best epoch's averaged weights into the model."""
        self._best.restore()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Validates and saves.

        Raises:
          InputError: the loss is no longer a number.
        """
        loss = finite_loss(logs, f"epoch {epoch + 1}")
        with self.model.average.applied(), self.model.id_tables.whole(self._cluster):
            self.model.refresh_texts(self._progress)
            metrics = self._cluster.from_chief(self._validation.measure)
            if metrics["ndcg@10"] > float(self._best_ndcg.numpy()):
                self._best_ndcg.assign(metrics["ndcg@10"])
                self._best_epoch.assign(epoch + 1)
                self._best.save(epoch + 1)
        told = {"train": logs or {}, "validation": metrics}
        for part, writer in self._writers.items():
            with writer.as_default(step=epoch):
                for name, value in told[part].items():
                    tf.summary.scalar(name, value)
        self._epochs.assign(epoch + 1)
        # Saved last: a kill before this line trains the epoch again, and loses nothing.
        self._newest.save(epoch + 1)
        self._progress.epoch(epoch + 1, loss, metrics, self.best_epoch)
        if logs is not None:
            logs.update(metrics)  # for the callbacks that come next


def finite_loss(logs: Mapping[str, Any] | None, where: str) -> float:
    """The mean loss that Keras tells at an epoch's end.

    Raises:
      InputError: it is no longer a number; `where` says in which epoch.
    """
    loss = float((logs or {})["mean_loss"])
    if not math.isfinite(loss):
        raise InputError(f"the loss became {loss} in {where}; a lower train.learning_rate may help")
    return loss
