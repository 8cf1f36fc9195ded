"""Trains the model: checkpoints, validation, early stopping, and going on after a kill."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from preprocessing.schema import InputError, Schema, write_whole
from trainer.averaging import WeightAverage
from trainer.biases import label_biases
from trainer.config import TrainerConfig
from trainer.dataset import EntityTable, read_continuation, read_entities, training_batches
from trainer.journal import Journal
from trainer.language_model.bert import FULL_PRECISION
from trainer.language_model.config import TuningConfig
from trainer.language_model.modes import make_optimizer, make_tandem, training_precision
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.refit import RefitJournal
from trainer.validation import Validation

if TYPE_CHECKING:
    from trainer.warm_start import WarmStart

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
        config.train.model_dump_json(),
        str(config.export.candidates),  # the blend was chosen for so many
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def build_model(
    examples: Path,
    training: Path,
    schema: Schema,
    config: TrainerConfig,
    progress: Progress,
    precision: str = FULL_PRECISION,
) -> tuple[Tandem, EntityTable, EntityTable]:
    """Makes the untrained model of these examples.

    The text vectors of a frozen language model are computed or read back; those of one that learns are zero
    until `Tandem.refresh_texts`.

    Raises:
      InputError: the config asks for what these examples do not have.
    """
    if not config.model.item_content:
        ids_alone = schema.items.model_copy(update={"text": None, "features": ()})
        schema = schema.model_copy(update={"items": ids_alone})
    _check_content(schema, config)
    items = read_entities(examples, schema, "items")
    users = read_entities(examples, schema, "users")
    model = make_tandem(examples, training, schema, config.model, (items, users), progress, precision)
    if schema.label:
        model.ranker.start_from(label_biases(examples, schema))
    # The first window makes all variables, so that checkpoints find them.
    model.compute_loss(next(iter(training_batches(examples, schema, config.model.history + 1, 1, 0))))
    return model, items, users


def _check_content(schema: Schema, config: TrainerConfig) -> None:
    items, model = schema.items, config.model
    if not (items.text or items.features) and (not model.item_id or model.loss.semantic):
        asked = "model.loss.lambda" if model.item_id else "model.item_id: false"
        raise InputError(f"{asked} needs texts or attributes of items, and there are none")
    predictable = any(feature.kind in ("categorical", "multi") for feature in items.features)
    if model.loss.beta and not (items.text and predictable):
        missing = "categorical or multi attributes" if items.text else "texts"
        raise InputError(f"model.loss.beta needs {missing} of items, and there are none")
    if model.item_tokens and model.item_content and not items.text:
        raise InputError("model.item_tokens needs texts of items, and there are none")
    if isinstance(model.language_model, TuningConfig) and not items.text:
        mode = model.language_model.mode
        raise InputError(f"model.language_model.mode: {mode} needs texts of items, and there are none")


def train(
    examples: Path,
    training: Path,
    config: TrainerConfig,
    progress: Progress,
    logs: Path | None = None,
    start: WarmStart | None = None,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> TrainResult:
    """Trains on `examples/` and leaves checkpoints and training.json in the training folder.

    TensorBoard logs go to `logs`, which is `logs/` in the training folder when not given. With a `start`
    an older model is trained on; a training that was begun otherwise must not be in the folder. `callbacks`
    hear of each epoch once it is saved, with the validation metrics; what they raise ends the training.

    A training that was cut off goes on from its last whole epoch; one that is finished is not
    repeated; a folder that belongs to other examples or another config is started anew.

    Raises:
      InputError: there is nothing to train on or to validate with, `training` holds something else, or
        the loss became infinite.
    """
    schema = Schema.read(examples)
    for part in ("train", "validation"):
        if not schema.counts[part]:
            raise InputError(
                f"{examples}: nothing in the {part} part of the {schema.split} split; training needs some "
                "(leave_last takes it from users with three interactions or more)"
            )
    identity = fingerprint(schema, config)
    result = TrainResult.read(training)
    if result is not None and result.fingerprint == identity:
        return result
    _take_over(training, identity)
    tf.keras.utils.set_random_seed(config.train.seed)
    precision = training_precision(config.model.language_model, progress)
    model, _, _ = build_model(examples, training, schema, config, progress, precision)
    if start is not None:
        start.into(model, examples, progress)
    settings = config.train
    length = config.model.history + 1  # so that every position of a full history has a target
    batches = training_batches(examples, schema, length, settings.batch_size, settings.seed)
    logs = logs or training / "logs"
    validation = Validation(model, examples, schema, config)
    prepare(model, config, batches)
    journal = Journal(training, logs, model, validation, settings.patience, progress)
    read_texts(model, progress)
    with progress.training(journal.epochs, settings.epochs):
        while not journal.finished and journal.epochs < settings.epochs:
            # Epochs differ in the number of their batches, which within one `fit` is taken for an error.
            epoch = journal.epochs
            told = [journal, *callbacks]
            model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=told)
    journal.restore_best()
    model.refresh_texts(progress)
    metrics = validation.measure()
    # A ranker that nobody trained has no say.
    blend, blended_ndcg = validation.choose_blend() if config.model.loss.alpha else (0.0, metrics["ndcg@10"])
    result = TrainResult(
        fingerprint=identity,
        epochs=journal.epochs,
        best_epoch=journal.best_epoch,
        ndcg=metrics["ndcg@10"],
        blend=blend,
        blended_ndcg=blended_ndcg,
        ranking=metrics.get("rmse"),
    )
    if settings.refit:
        refit(examples, training, schema, config, result.best_epoch, progress, start)
    result.write(training)
    return result


def refit(
    examples: Path,
    training: Path,
    schema: Schema,
    config: TrainerConfig,
    epochs: int,
    progress: Progress,
    start: WarmStart | None = None,
) -> None:
    """Trains a new model, or again the one to start from, on the training and the validation part.

    It is kept in `refit/`.

    Raises:
      InputError: the loss became infinite.
    """
    settings = config.train
    tf.keras.utils.set_random_seed(settings.seed)
    precision = training_precision(config.model.language_model, progress)
    model, _, _ = build_model(examples, training, schema, config, progress, precision)
    if start is not None:
        start.into(model, examples, progress)
    batches = training_batches(
        examples,
        schema,
        config.model.history + 1,
        settings.batch_size,
        settings.seed,
        read_continuation(examples, schema),
    )
    prepare(model, config, batches)
    journal = RefitJournal(training, model, epochs, progress)
    if journal.finished:
        return
    read_texts(model, progress)
    progress.say(f"Training on the validation part too, for {epochs} epochs")
    with progress.training(journal.epochs, epochs):
        for epoch in range(journal.epochs, epochs):
            model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=[journal])


def _take_over(training: Path, identity: str) -> None:
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


def read_texts(model: Tandem, progress: Progress) -> None:
    """Reads the texts that the next epoch takes from the table, with the averaged weights."""
    with model.average.applied():
        model.refresh_texts(progress)


def prepare(model: Tandem, config: TrainerConfig, batches: tf.data.Dataset) -> None:
    """Compiles the model; the optimizer's variables are there afterwards to be restored.

    Args:
      model: all of whose variables have been made.
      config: of the training.
      batches: of an epoch.
    """
    settings = config.train
    optimizer = make_optimizer(model, config, batches)
    model.compile(optimizer=optimizer)
    optimizer.build(model.trainable_variables)
    model.average = WeightAverage(model.trainable_variables, settings.averaging)
