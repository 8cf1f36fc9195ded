"""Trains the model: checkpoints, validation, early stopping, and going on after a kill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf
from rich.console import Console

from preprocessing.schema import InputError, Schema
from trainer.averaging import WeightAverage
from trainer.biases import label_biases
from trainer.config import TrainerConfig
from trainer.dataset import Continuation, EntityTable, read_continuation, read_entities
from trainer.distribution.cluster import Cluster
from trainer.distribution.config import MultiWorkerConfig, is_in_cluster
from trainer.distribution.connecting import connect
from trainer.distribution.id_tables.choosing import id_tables
from trainer.distribution.launch import Task, launch
from trainer.journal import Journal
from trainer.language_model.bert import FULL_PRECISION
from trainer.language_model.config import TuningConfig
from trainer.language_model.modes import keep_texts, make_optimizer, make_tandem, training_precision
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.refit import RefitJournal
from trainer.result import TrainResult, fingerprint, take_over
from trainer.training_batches import TrainingBatches
from trainer.validation import Validation

if TYPE_CHECKING:
    from trainer.warm_start import WarmStart


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
    schema = _read_by_model(schema, config)
    _check_content(schema, config)
    items = read_entities(examples, schema, "items")
    users = read_entities(examples, schema, "users")
    tables = id_tables(schema, config)
    model = make_tandem(examples, training, schema, config.model, (items, users), tables, progress, precision)
    if schema.label:
        model.ranker.start_from(label_biases(examples, schema))
    # The first window makes all variables, so that checkpoints find them.
    first = next(iter(TrainingBatches(examples, schema, config.model.history + 1, 1, 0).epoch(0)))
    model.objectives(model.draw(first, training=False), training=False)
    return model, items, users


def _read_by_model(schema: Schema, config: TrainerConfig) -> Schema:
    """What the model reads of the examples."""
    if config.model.item_content:
        return schema
    ids_alone = schema.items.model_copy(update={"text": None, "features": ()})
    return schema.model_copy(update={"items": ids_alone})


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
    distribution = config.train.distribution
    if isinstance(distribution, MultiWorkerConfig) and not is_in_cluster(distribution):
        if callbacks:
            raise InputError(
                "train.distribution.kind: multi_worker trains in other processes, which cannot report their "
                "epochs here; choose one or mirrored"
            )
        launch(Task(examples, training, config, logs, start), distribution.workers, progress)
        result = TrainResult.read(training)
        assert result is not None  # or a worker would have failed
        return result
    cluster = connect(distribution)
    if not cluster.is_chief:
        progress = Progress(Console(quiet=True))
    cluster.from_chief(lambda: take_over(training, identity))
    cluster.from_chief(lambda: _keep_texts(examples, training, schema, config, progress))
    with cluster.scope():
        result = _train(
            examples, training, schema, config, progress, logs or training / "logs", start, callbacks, cluster
        )
        if config.train.refit:
            refit(examples, training, schema, config, result.best_epoch, progress, start, cluster)
    if cluster.is_chief:
        result.write(training)
    return result


def _train(
    examples: Path,
    training: Path,
    schema: Schema,
    config: TrainerConfig,
    progress: Progress,
    logs: Path,
    start: WarmStart | None,
    callbacks: Sequence[tf.keras.callbacks.Callback],
    cluster: Cluster,
) -> TrainResult:
    settings = config.train
    model, batches = _make_ready(examples, training, schema, config, progress, start)
    validation = Validation(model, examples, schema, config)
    journal = Journal(training, logs, model, validation, settings.patience, progress, cluster)
    read_texts(model, progress)
    with progress.training(journal.epochs, settings.epochs):
        while not journal.finished and (epoch := journal.epochs) < settings.epochs:
            _fit_epoch(model, batches, epoch, [journal, *callbacks], cluster)
    journal.restore_best()
    model.refresh_texts(progress)
    with model.id_tables.whole(cluster):
        metrics = cluster.from_chief(validation.measure)
        blend, blended_ndcg = 0.0, metrics["ndcg@10"]
        if config.model.loss.alpha:  # a ranker that nobody trained has no say
            blend, blended_ndcg = cluster.from_chief(validation.choose_blend)
    return TrainResult(
        fingerprint=fingerprint(schema, config),
        epochs=journal.epochs,
        best_epoch=journal.best_epoch,
        ndcg=metrics["ndcg@10"],
        blend=blend,
        blended_ndcg=blended_ndcg,
        ranking=metrics.get("rmse"),
    )


def refit(
    examples: Path,
    training: Path,
    schema: Schema,
    config: TrainerConfig,
    epochs: int,
    progress: Progress,
    start: WarmStart | None,
    cluster: Cluster,
) -> None:
    """Trains a new model, or again the one to start from, on the training and the validation part.

    It is kept in `refit/`.

    Raises:
      InputError: the loss became infinite.
    """
    continuation = read_continuation(examples, schema)
    model, batches = _make_ready(examples, training, schema, config, progress, start, continuation)
    journal = RefitJournal(training, model, epochs, progress, cluster)
    if journal.finished:
        return
    read_texts(model, progress)
    progress.say(f"Training on the validation part too, for {epochs} epochs")
    with progress.training(journal.epochs, epochs):
        for epoch in range(journal.epochs, epochs):
            _fit_epoch(model, batches, epoch, [journal], cluster)


def _fit_epoch(
    model: Tandem,
    batches: TrainingBatches,
    epoch: int,
    callbacks: list[tf.keras.callbacks.Callback],
    cluster: Cluster,
) -> None:
    prepared = model.id_tables.prepared(batches.epoch(epoch), model.draw, model.known_user)
    cluster.fit_epoch(model, prepared, epoch, callbacks)


def _make_ready(
    examples: Path,
    training: Path,
    schema: Schema,
    config: TrainerConfig,
    progress: Progress,
    start: WarmStart | None,
    continuation: Continuation | None = None,
) -> tuple[Tandem, TrainingBatches]:
    """Makes a model to be trained, and what it is trained on."""
    settings = config.train
    tf.keras.utils.set_random_seed(settings.seed)
    precision = training_precision(config.model.language_model, progress)
    model, _, _ = build_model(examples, training, schema, config, progress, precision)
    if start is not None:
        start.into(model, examples, progress)
    length = config.model.history + 1  # so that every position of a full history has a target
    batches = TrainingBatches(examples, schema, length, settings.batch_size, settings.seed, continuation)
    prepare(model, config, batches)
    return model, batches


def _keep_texts(
    examples: Path, training: Path, schema: Schema, config: TrainerConfig, progress: Progress
) -> None:
    """Reads the texts of a frozen language model before anything else.

    Replicas would read them again. And where a language model is made before the towers, chance makes other
    towers: a training that was cut off before its first epoch, with the texts read, would begin with others.
    """
    schema = _read_by_model(schema, config)
    _check_content(schema, config)
    tables = read_entities(examples, schema, "items"), read_entities(examples, schema, "users")
    keep_texts(examples, training, schema, config.model.language_model, tables, progress)


def read_texts(model: Tandem, progress: Progress) -> None:
    """Reads the texts that the next epoch takes from the table, with the averaged weights."""
    with model.average.applied():
        model.refresh_texts(progress)


def prepare(model: Tandem, config: TrainerConfig, batches: TrainingBatches) -> None:
    """Compiles the model; the optimizer's variables are there afterwards to be restored.

    Args:
      model: all of whose variables have been made.
      config: of the training.
      batches: that it will be trained on.
    """
    settings = config.train
    optimizer = make_optimizer(model, config, batches)
    model.compile(optimizer=optimizer)
    optimizer.build(model.trainable_variables)
    model.average = WeightAverage(model.trainable_variables, settings.averaging)
