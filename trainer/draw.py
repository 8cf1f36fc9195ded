"""What chance decides about a training step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import tensorflow as tf

from trainer.distribution.replica import Replica
from trainer.negatives import StepItems

DRAWN = "drawn"
"""What a batch calls the draw that was made of it beforehand."""


class Chance(IntEnum):
    """What is drawn for a step once its users and items are known."""

    TEXTS = 0
    LANGUAGE_MODEL = 1
    ITEM_IDS = 2
    USER_TOWER = 3
    SEMANTIC = 4
    RANKER = 5
    CLICKS = 6


@dataclass(frozen=True)
class Draw:
    """A batch, or some of its rows, with what chance decided about it: the same for all replicas.

    Attributes:
      user: of each window `[B]`; 'unknown' where it is hidden.
      label: of each place of the windows `[B, L]`; None without labels.
      valid: the places of the windows that are targets `[B, L]`.
      step: the items that the step embeds.
      seed: of what else is drawn `[2]`; for the whole step, or of the replica whose share it is.
      personal: embeddings of the windows' users `[B, D]`, where the step does not take those of the table.
      rows: of the tables of `items` and `users` that the step reads, where a TPU looks them up.
    """

    user: tf.Tensor
    label: tf.Tensor | None
    valid: tf.Tensor
    step: StepItems
    seed: tf.Tensor
    personal: tf.Tensor | None = None
    rows: Mapping[str, tf.Tensor] | None = None

    def written(self) -> dict[str, Any]:
        """What a batch carries along of a draw."""
        step = {"index": self.step.index, "row": self.step.row, "weights": self.step.weights}
        return {"user": self.user, "valid": self.valid, "seed": self.seed, "step": step, "rows": self.rows}

    @classmethod
    def read(cls, batch: Mapping[str, Any]) -> Draw:
        """The draw that a batch carries along."""
        drawn = batch[DRAWN]
        step = StepItems(**drawn["step"])
        return cls(drawn["user"], batch.get("label"), drawn["valid"], step, drawn["seed"], rows=drawn["rows"])

    @property
    def targets(self) -> tf.Tensor:
        """How many targets there are, as a float."""
        return tf.reduce_sum(tf.cast(self.valid, tf.float32))

    def seed_of(self, what: Chance, training: bool = True) -> tf.Tensor | None:
        """The seed `[2]` of something that is drawn in training alone; None when that is not on."""
        return tf.random.fold_in(self.seed, int(what)) if training else None

    def first(self, part: int) -> Draw:
        """The first row, and one in `part` of the others."""
        rows = tf.shape(self.user)[0] // part + 1
        step = replace(self.step, row=self.step.row[:rows])
        label = None if self.label is None else self.label[:rows]
        personal = None if self.personal is None else self.personal[:rows]
        return replace(
            self, user=self.user[:rows], label=label, valid=self.valid[:rows], step=step, personal=personal
        )

    def share(self, replica: Replica) -> Draw:
        """The rows that a replica does, for which it draws by itself."""
        return replace(
            self,
            user=replica.share(self.user),
            label=None if self.label is None else replica.share(self.label),
            valid=replica.share(self.valid),
            step=replace(self.step, row=replica.share(self.step.row)),
            seed=self.seed if replica.count == 1 else tf.random.fold_in(self.seed, replica.number),
            personal=None if self.personal is None else replica.share(self.personal),
        )
