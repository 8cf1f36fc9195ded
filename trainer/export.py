"""Writes the trained model as one SavedModel, `model/<version>/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from preprocessing.schema import InputError, Schema, whole_folder
from trainer.config import TrainerConfig
from trainer.progress import Progress
from trainer.refit import exported_checkpoint
from trainer.serving_model import ServingModel
from trainer.train import TrainResult, build_model, fingerprint

DETAILS_FILE = "tandem.json"


def next_version(model: Path) -> int:
    """One more than the newest version in `model/`, or 1."""
    versions = [int(folder.name) for folder in model.glob("*") if folder.name.isdigit()]
    return max(versions, default=0) + 1


def _details(version: Path) -> dict[str, Any] | None:
    try:
        return json.loads((version / "assets.extra" / DETAILS_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def export(
    examples: Path,
    training: Path,
    model: Path,
    config: TrainerConfig,
    progress: Progress,
) -> Path:
    """Exports the best checkpoint of a finished training, unless the newest version is just that.

    Args:
      examples: the folder that was trained on.
      training: the training folder.
      model: where versions go.
      config: the trainer's sections of the config.
      progress: where to show it.

    Returns:
      the version's folder, which appears whole or not at all.

    Raises:
      InputError: training has not finished, or belongs to other examples or another config.
    """
    schema = Schema.read(examples)
    result = TrainResult.read(training)
    if result is None or result.fingerprint != fingerprint(schema, config):
        raise InputError(
            f"{training}: no finished training of these examples with this config; run `tandem train`"
        )
    details = {
        "name": schema.name,
        "items": schema.items.size,
        "dimension": config.model.dimension,
        "blend": result.blend,
        "validation": {"ndcg@10": result.blended_ndcg, "rmse": result.ranking},
        "fingerprint": result.fingerprint,
        "export": config.export.model_dump(mode="json"),
    }
    newest = model / str(next_version(model) - 1)
    if _details(newest) == details:
        progress.say("the newest version is this very model")
        return newest
    checkpoint = exported_checkpoint(training, config.train.refit)
    if checkpoint is None:
        raise InputError(f"{training}: the checkpoint to export is gone; delete this folder and train again")
    tandem, items, users = build_model(examples, training, schema, config, progress)
    tf.train.Checkpoint(model=tandem).restore(checkpoint).assert_existing_objects_matched()
    progress.say("Exporting the SavedModel")
    module = ServingModel(tandem, examples, items, users, config, result.blend)
    signatures = module.signatures()
    module.track(signatures)
    folder = model / str(next_version(model))
    with whole_folder(folder, "saved_model.pb") as scratch:
        # Custom ops must be named, or loading them in a server would come as a surprise.
        options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
        tf.saved_model.save(module, str(scratch), signatures, options)
        extra = scratch / "assets.extra"
        extra.mkdir()
        (extra / DETAILS_FILE).write_text(json.dumps(details, indent=1) + "\n", encoding="utf-8")
    return folder
