"""Writes the trained model as one SavedModel, `model/<version>/`."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from preprocessing.schema import InputError, Schema
from trainer.config import TrainerConfig
from trainer.dataset import new_items
from trainer.language_model.bert import LanguageModel
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.refit import exported_checkpoint
from trainer.result import TrainResult, fingerprint
from trainer.search.building import can_search, make_searchable
from trainer.towers import Towers
from trainer.train import build_model
from trainer.version import Details, Items, Version, newest_version, writing_alone


def export(
    examples: Path,
    training: Path,
    model: Path,
    config: TrainerConfig,
    progress: Progress,
    attempt: str = "",
) -> Path:
    """Exports what a finished training came to, unless the newest version is just that.

    A newest version to which items were added since counts as this very model.

    Args:
      examples: the folder that was trained on.
      training: the training folder.
      model: where versions go.
      config: the trainer's sections of the config.
      progress: where to show it.
      attempt: what to name it by in a run; a version of another attempt is not taken for it.

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
    details = Details(
        name=schema.name,
        items=schema.items.size,
        dimension=config.model.dimension,
        blend=result.blend,
        validation={"ndcg@10": result.blended_ndcg, "rmse": result.ranking},
        fingerprint=result.fingerprint,
        search=config.search,
        attempt=attempt,
        export=config.export,
    )
    with writing_alone(model):
        newest = model / str(newest_version(model))
        if _is(newest, details):
            progress.say("the newest version is this very model")
            return newest
        checkpoint = exported_checkpoint(training, config.train.refit)
        if checkpoint is None:
            raise InputError(
                f"{training}: the checkpoint to export is gone; delete this folder and train again"
            )
        tandem, items, users = build_model(examples, training, schema, config, progress)
        tf.train.Checkpoint(model=tandem).restore(checkpoint).assert_existing_objects_matched()
        if tandem.language_model:
            tandem.language_model.merge()
        tandem.refresh_texts(progress)
        reader = _text_reader(tandem, examples, config)
        views = found_by = None
        if reader is not None and can_search(tandem.schema, config):
            views, found_by = make_searchable(
                examples, training, tandem, config, items, reader, result.fingerprint, progress
            )
        vectors, new = tandem.catalogue().numpy(), new_items(examples, schema, items, config.train.refit)
        catalogue = Items(items.ids.tolist(), items.display.tolist(), vectors, new, found_by)
        towers = Towers(tandem, examples, users, config, reader, views)
        return Version(towers, catalogue, tandem.schema, details).write(model, progress)


def _text_reader(tandem: Tandem, examples: Path, config: TrainerConfig) -> LanguageModel | None:
    """The language model that read the texts: the tuned one, or that of the examples; None without texts."""
    language_model = tandem.schema.language_model
    if tandem.language_model or language_model is None:
        return tandem.language_model
    return LanguageModel(examples / language_model.folder, config.model.language_model.layers)


def _is(version: Path, details: Details) -> bool:
    try:
        return Details.read(version).trained == details
    except InputError:
        return False
