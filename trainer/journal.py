"""What happens after each epoch: validation, checkpoints, and the decision to stop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import tensorflow as tf

from preprocessing.schema import InputError
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.validation import Validation


class Journal(tf.keras.callbacks.Callback):
    """Validates after each epoch, keeps the newest and the best checkpoint, and stops in time.

    What is validated, and kept as the best, is the running average of the weights; a language model that
    learns reads all texts with it, for validation and for the next epoch. Making a journal
    restores the newest checkpoint of the folder, if there is one.

    Args:
      training: the training folder.
      logs: where TensorBoard's files go.
      model: prepared for training.
      validation: measures the model.
      patience: epochs without a better NDCG@10 before it stops.
      progress: where epochs are told.
    """

    def __init__(
        self,
        training: Path,
        logs: Path,
        model: Tandem,
        validation: Validation,
        patience: int,
        progress: Progress,
    ) -> None:
        super().__init__()
        self._validation = validation
        self._patience = patience
        self._progress = progress
        self._writers = {
            part: tf.summary.create_file_writer(str(logs / part)) for part in ("train", "validation")
        }
        self._epochs = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._best_epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._best_ndcg = tf.Variable(-1.0, trainable=False, dtype=tf.float64)
        newest = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            average=model.average,
            epochs=self._epochs,
            best_epoch=self._best_epoch,
            best_ndcg=self._best_ndcg,
        )
        self._newest = tf.train.CheckpointManager(newest, str(training / "checkpoints"), max_to_keep=1)
        best = tf.train.Checkpoint(model=model)
        self._best = tf.train.CheckpointManager(best, str(training / "best"), max_to_keep=1)
        if self._newest.latest_checkpoint:
            newest.restore(self._newest.latest_checkpoint).assert_existing_objects_matched()

    @property
    def epochs(self) -> int:
        """Whole epochs that were trained, those before an interruption included."""
        return int(self._epochs)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the best validation NDCG@10."""
        return int(self._best_epoch)

    @property
    def finished(self) -> bool:
        """Whether patience has run out."""
        return self.epochs - self.best_epoch >= self._patience

    def restore_best(self) -> None:
        """Puts the best epoch's averaged weights into the model."""
        self._best.checkpoint.restore(self._best.latest_checkpoint).assert_existing_objects_matched()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Validates and saves.

        Raises:
          InputError: the loss is no longer a number.
        """
        loss = float((logs or {})["mean_loss"])
        if not math.isfinite(loss):
            raise InputError(
                f"the loss became {loss} in epoch {epoch + 1}; a lower train.learning_rate may help"
            )
        with self.model.average.applied():
            self.model.refresh_texts(self._progress)
            metrics = self._validation.measure()
            if metrics["ndcg@10"] > float(self._best_ndcg):
                self._best_ndcg.assign(metrics["ndcg@10"])
                self._best_epoch.assign(epoch + 1)
                self._best.save(checkpoint_number=epoch + 1)
        for part, values in (("train", logs or {}), ("validation", metrics)):
            with self._writers[part].as_default(step=epoch):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
        self._epochs.assign(epoch + 1)
        # Saved last: a kill before this line trains the epoch again, and loses nothing.
        self._newest.save(checkpoint_number=epoch + 1)
        self._progress.epoch(epoch + 1, loss, metrics, self.best_epoch)
        if logs is not None:
            logs.update(metrics)  # for the callbacks that come next
