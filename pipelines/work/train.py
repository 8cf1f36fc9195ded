"""`examples/` to `training/`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipelines.runs.artifact import Artifact
from pipelines.runs.folder import discard
from pipelines.runs.job import Job
from preprocessing.schema import InputError


def train(job: Job) -> Artifact:
    """Trains, or goes on where this attempt was cut off.

    Raises:
      InputError: see `trainer.train.train`.
    """
    from trainer.train import train as fit

    folder = job.folder / "training"
    if not job.continued and (folder / "fingerprint").exists():
        discard(folder)  # the trainer would take what other code made of the same config for its own
    result = fit(job.artifacts["preprocess"], folder, job.config.trainer, job.display.progress)
    job.display.console.print(result.summary)
    return Artifact(folder, _digest(folder, job))


def _digest(training: Path, job: Job) -> str:
    """Of the result and the weights that are exported."""
    import tensorflow as tf

    from trainer.refit import exported_checkpoint

    digest = hashlib.sha256((training / "training.json").read_bytes())
    checkpoint = exported_checkpoint(training, job.config.trainer.train.refit)
    if checkpoint is None:
        raise InputError(f"{training}: the checkpoint to export is gone; use --force train")
    weights = tf.train.load_checkpoint(checkpoint)
    for name in sorted(weights.get_variable_to_dtype_map()):
        if name.startswith("model/"):
            digest.update(name.encode())
            digest.update(weights.get_tensor(name).tobytes())
    return digest.hexdigest()
