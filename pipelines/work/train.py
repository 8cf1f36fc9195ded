"""`examples/` to `training/`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.runs.artifact import Artifact
from pipelines.runs.folder import discard
from pipelines.runs.job import Job
from pipelines.runs.lineage import LINEAGE_FILE, Lineage
from pipelines.runs.record import Record
from preprocessing.schema import InputError, parse
from trainer.config import TrainerConfig
from trainer.distribution.config import are_on_tpu

if TYPE_CHECKING:
    from trainer.warm_start import WarmStart


def sources(job: Job) -> dict[str, str]:
    """What counts besides the examples: the model that training starts from, and tables that a TPU holds.

    Raises:
      InputError: it is to start from a folder without a finished training, or from itself.
    """
    # Of `train.distribution` nothing else counts; the checkpoints of such tables are of another kind.
    on_tpu = are_on_tpu(job.config.trainer.train.distribution)
    tables = {"tables of ids": "on a TPU"} if on_tpu else {}
    if job.warm_start is None:
        return tables
    if job.warm_start.resolve() == job.folder.resolve():
        raise InputError("--warm-start: a run cannot start from itself; choose another --output")
    return {**tables, "warm start": _trained(job.warm_start).digest}


def check_older_model(job: Job) -> None:
    """Refuses a model to start from that `sources` refuses."""
    sources(job)


def train(job: Job) -> Artifact:
    """Trains, or goes on where this attempt was cut off.

    Raises:
      InputError: see `trainer.train.train`.
    """
    from trainer.train import train as fit

    folder = job.folder / "training"
    if not job.continued and (folder / "fingerprint").exists():
        discard(folder)  # the trainer would take what other code made of the same config for its own
    start = None if job.warm_start is None else _older_model(job.warm_start)
    config, progress = job.config.trainer, job.display.progress
    result = fit(job.artifacts["preprocess"], folder, config, progress, start=start)
    job.display.console.print(result.summary)
    return Artifact(folder, _digest(folder, job))


def _trained(run: Path) -> Record:
    lineage = Lineage.read(run)
    record = lineage.steps.get("train") if lineage else None
    if record is None or record.state != "done":
        raise InputError(f"--warm-start {run}: no run folder with a finished training")
    return record


def _older_model(run: Path) -> WarmStart:
    """The model of another run.

    Raises:
      InputError: its examples or its training are gone, or of another version of Tandem.
    """
    from trainer.warm_start import WarmStart

    sections = {key: _trained(run).config[key] for key in ("model", "train")}
    config = parse(TrainerConfig, sections, f"--warm-start {run}: {LINEAGE_FILE}")
    return WarmStart(run / "examples", run / "training", config)


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
