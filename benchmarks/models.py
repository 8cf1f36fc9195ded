"""Trains and exports the models that are compared, each in a folder of its own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.config import RunConfig
from preprocessing.schema import Schema, write_whole
from trainer.export import export
from trainer.progress import Progress
from trainer.result import TrainResult, fingerprint
from trainer.train import train


@dataclass(frozen=True)
class Trained:
    """A trained and exported model.

    Attributes:
      version: the folder of the SavedModel.
      result: what training came to.
      seconds: that training took; None when it was cut off in between.
    """

    name: str
    version: Path
    result: TrainResult
    seconds: float | None


def train_and_export(config: RunConfig, examples: Path, folder: Path, progress: Progress) -> Trained:
    """Trains and exports unless that was done already; a training that was cut off goes on.

    Args:
      config: of the model.
      examples: what all models are trained on.
      folder: of this model; it will hold `training/`, `model/<version>/` and `seconds.json`.
      progress: where to show how far it is.

    Raises:
      InputError: the config cannot be used with these examples.
    """
    training, took = folder / "training", folder / "seconds.json"
    identity = fingerprint(Schema.read(examples), config.trainer)
    begun = _content(training / "fingerprint") == identity
    start = time.monotonic()
    result = train(examples, training, config.trainer, progress)
    if not begun:
        seconds = {"fingerprint": identity, "seconds": round(time.monotonic() - start, 1)}
        write_whole(took, json.dumps(seconds).encode())
    version = export(examples, training, folder / "model", config.trainer, progress)
    return Trained(config.name, version, result, _seconds(took, identity))


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _seconds(path: Path, identity: str) -> float | None:
    kept = json.loads(_content(path) or "{}")
    return kept["seconds"] if kept.get("fingerprint") == identity else None
