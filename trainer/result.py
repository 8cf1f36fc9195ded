"""What a training folder belongs to, and what the training came to."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from preprocessing.schema import InputError, Schema, write_whole
from trainer.config import TrainerConfig
from trainer.distribution.config import are_on_tpu

RESULT_FILE = "training.json"


@dataclass(frozen=True)
class TrainResult:
    """What training came to; written to training.json when it is finished.

    Attributes:
      fingerprint: of the examples and the config that this training belongs to.
      epochs: epochs trained; `best_epoch` (from 1) is the one that was kept.
      ndcg: validation NDCG@10 of the best epoch, retrieval alone.
      blend: weight of the ranking score in the serving score, chosen on validation.
      blended_ndcg: validation NDCG@10 of the serving score.
      ranking: validation RMSE of the label, or None without labels.
    """

    fingerprint: str
    epochs: int
    best_epoch: int
    ndcg: float
    blend: float
    blended_ndcg: float
    ranking: float | None

    @property
    def summary(self) -> str:
        """The result in one line."""
        ranking = "" if self.ranking is None else f", RMSE {self.ranking:.4f}"
        return (
            f"best epoch {self.best_epoch} of {self.epochs}: validation NDCG@10 {self.ndcg:.4f}, "
            f"{self.blended_ndcg:.4f} blended with ranking (weight {self.blend:g}){ranking}"
        )

    @classmethod
    def read(cls, training: Path) -> TrainResult | None:
        """The result in a training folder, or None when there is none that can be read."""
        try:
            return cls(**json.loads((training / RESULT_FILE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):  # damaged, or of another version of Tandem
            return None

    def write(self, training: Path) -> None:
        """Writes training.json at once or not at all."""
        write_whole(training / RESULT_FILE, json.dumps(asdict(self), indent=1).encode())


def fingerprint(schema: Schema, config: TrainerConfig) -> str:
    """Tells whether a training belongs to these examples and this config."""
    parts = (
        schema.model_dump_json(),  # with the digest of all the other files
        config.model.model_dump_json(),
        config.train.model_dump_json(exclude={"distribution"}),  # which may change as training goes on
        str(config.export.candidates),  # the blend was chosen for so many
        # Whose checkpoints are of another kind.
        *(["tables on a TPU"] if are_on_tpu(config.train.distribution) else []),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def take_over(training: Path, identity: str) -> None:
    """Makes the folder this training's own: what another training left in it is deleted.

    Raises:
      InputError: the folder holds something that is not of a training.
    """
    marker = training / "fingerprint"
    if marker.exists() and marker.read_text(encoding="utf-8") == identity:
        return
    others = [path for path in training.iterdir() if path.name[0] != "."] if training.exists() else []
    if others and not marker.exists():
        raise InputError(f"{training}: holds files that are not of a training; choose another folder")
    replaced = training.with_name(f".{training.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if training.exists():
        training.rename(replaced)  # a kill while deleting must not leave half a training here
    training.mkdir(parents=True)
    write_whole(marker, identity.encode())
    shutil.rmtree(replaced, ignore_errors=True)
