"""Checkpoints that one worker writes and all read."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from trainer.distribution.cluster import Cluster
from trainer.distribution.id_tables.row_shards import collected


class Checkpoints:
    """The newest checkpoint of a folder that all workers see.

    It does not depend on the number of replicas: tables that are divided among them are written whole.

    Args:
      folder: of the checkpoints.
      cluster: whose chief writes them.
      **objects: what they hold.
    """

    def __init__(self, folder: Path, cluster: Cluster, **objects: tf.Module) -> None:
        self._cluster = cluster
        self._checkpoint = tf.train.Checkpoint(**objects)
        # Made here, because all workers must make a variable that all of them have.
        _ = self._checkpoint.save_counter
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), max_to_keep=1)
        self._newest: str | None = cluster.from_chief(lambda: self._manager.latest_checkpoint)

    @property
    def newest(self) -> str | None:
        """The path of the newest one; None when there is none."""
        return self._newest

    def save(self, number: int) -> None:
        """Saves what is now, by a number."""
        with collected(tf.train.TrackableView(self._checkpoint).descendants(), self._cluster):
            if self._cluster.is_chief:
                self._manager.save(checkpoint_number=number)
        self._newest = self._cluster.from_chief(lambda: self._manager.latest_checkpoint)

    def restore(self) -> None:
        """Brings the newest one back."""
        self._checkpoint.restore(self._newest).assert_existing_objects_matched()
