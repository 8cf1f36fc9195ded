"""Trains once more, on the validation part too, when it is known for how many epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.distribution.checkpoints import Checkpoints
from trainer.distribution.cluster import Cluster
from trainer.journal import finite_loss
from trainer.model import Tandem
from trainer.progress import Progress

FOLDER = "refit"


class RefitJournal(tf.keras.callbacks.Callback):
    """Keeps the newest checkpoint, and at the end the averaged weights.

    Nothing is left to validate with, so it stops only after `epochs` epochs. Making a journal restores the
    newest checkpoint of the folder, if there is one.

    Args:
      training: the training folder; `refit/` in it is used.
      model: prepared for training.
      epochs: how many to train.
      progress: where epochs are told.
      cluster: that trains, and whose chief writes.
    """

    def __init__(
        self, training: Path, model: Tandem, epochs: int, progress: Progress, cluster: Cluster
    ) -> None:
        super().__init__()
        self._progress = progress
        self._wanted = epochs
        self._done = tf.Variable(0, trainable=False, dtype=tf.int64)
        folder = training / FOLDER
        self._newest = Checkpoints(
            folder / "checkpoints",
            cluster,
            model=model,
            optimizer=model.optimizer,
            average=model.average,
            epochs=self._done,
        )
        self._final = Checkpoints(folder / "final", cluster, model=model)
        if self._newest.newest:
            self._newest.restore()

    @property
    def epochs(self) -> int:
        """Whole epochs that were trained, those before an interruption included."""
        return int(self._done.numpy())

    @property
    def finished(self) -> bool:
        """Whether the averaged weights are there."""
        return self._final.newest is not None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves.

        Raises:
          InputError: the loss is no longer a number.
        """
        loss = finite_loss(logs, f"epoch {epoch + 1} with the validation part")
        self._done.assign(epoch + 1)
        if epoch + 1 == self._wanted:
            with self.model.average.applied():
                self._final.save(epoch + 1)
        else:
            with self.model.average.applied():
                self.model.refresh_texts(self._progress)
            self._newest.save(epoch + 1)
        self._progress.epoch(epoch + 1, loss, {}, 0)


def exported_checkpoint(training: Path, refitted: bool) -> str | None:
    """The checkpoint that is exported; None when it is gone."""
    return tf.train.latest_checkpoint(str(training / (f"{FOLDER}/final" if refitted else "best")))
