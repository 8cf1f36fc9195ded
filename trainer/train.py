"""Trains the model: checkpoints, validation, early stopping, and going on after a kill."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import SCHEMA_FILE, STATISTICS_FILE, InputError, Schema
from trainer.biases import label_biases
from trainer.config import TrainerConfig
from trainer.dataset import EntityTable, read_entities, training_batches
from trainer.language_model import LanguageModel, encode_table
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.validation import Validation

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
        """The result in a training folder, or None when training has not finished there."""
        try:
            return cls(**json.loads((training / RESULT_FILE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def write(self, training: Path) -> None:
        """Writes training.json at once or not at all."""
        write_whole(training / RESULT_FILE, json.dumps(asdict(self), indent=1).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is either whole or not there."""
    scratch = path.with_name(f".{path.name}.partial")
    scratch.write_bytes(content)
    scratch.replace(path)


def fingerprint(examples: Path, config: TrainerConfig) -> str:
    """Tells whether a checkpoint belongs to these examples and this config."""
    digest = hashlib.sha256()
    for name in (SCHEMA_FILE, STATISTICS_FILE):
        digest.update((examples / name).read_bytes())
    digest.update(config.model.model_dump_json().encode())
    digest.update(config.train.model_dump_json().encode())
    return digest.hexdigest()


def _text_vectors(
    examples: Path,
    training: Path,
    schema: Schema,
    items: EntityTable,
    config: TrainerConfig,
    progress: Progress,
) -> np.ndarray | None:
    if items.tokens is None or schema.language_model is None:
        return None
    kept = training / "text_vectors.npy"
    if kept.exists():
        return np.load(kept)
    model = LanguageModel(examples / schema.language_model.folder, config.model.language_model.layers)
    with progress.bar("Reading texts with the language model", len(items.tokens)) as advance:
        vectors = encode_table(model, items.tokens, advance)
    scratch = training / ".text_vectors.partial.npy"
    np.save(scratch, vectors)
    scratch.replace(kept)
    return vectors


class _Journal(tf.keras.callbacks.Callback):
    """Validates, keeps checkpoints, and stops when validation no longer gets better."""

    def __init__(
        self, training: Path, logs: Path, validation: Validation, patience: int, progress: Progress
    ) -> None:
        super().__init__()
        self._training = training
        self._validation = validation
        self._patience = patience
        self._progress = progress
        self.epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.best_epoch = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.best = tf.Variable(-1.0, trainable=False)
        self._writer = tf.summary.create_file_writer(str(logs / "validation"))

    def open(self, model: Tandem, optimizer: tf.keras.optimizers.Optimizer) -> None:
        """Restores the newest checkpoint of this training, if there is one."""
        state = {"epoch": self.epoch, "best_epoch": self.best_epoch, "best": self.best}
        self._newest = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model, optimizer=optimizer, **state),
            str(self._training / "checkpoints"),
            max_to_keep=1,
        )
        self._best = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model), str(self._training / "best"), max_to_keep=1
        )
        self._newest.restore_or_initialize()

    def restore_best(self) -> None:
        """Puts the best epoch's weights into the model."""
        self._best.checkpoint.restore(self._best.latest_checkpoint).expect_partial()

    @property
    def finished(self) -> bool:
        """Whether patience has run out."""
        return int(self.epoch) - int(self.best_epoch) >= self._patience

    @contextlib.contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        weights = self.model.trainable_variables
        current = [weight.numpy() for weight in weights]
        self.model.optimizer.finalize_variable_values(weights)
        yield
        for weight, value in zip(weights, current, strict=True):
            weight.assign(value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures the averaged weights, keeps them if they are the best, and saves the state."""
        with self._averaged_weights():
            metrics = self._validation.measure()
            if metrics["ndcg@10"] > float(self.best):
                self.best.assign(metrics["ndcg@10"])
                self.best_epoch.assign(epoch + 1)
                self._best.save(checkpoint_number=epoch + 1)
        with self._writer.as_default(step=epoch):
            for name, value in metrics.items():
                tf.summary.scalar(name, value)
        self.epoch.assign(epoch + 1)
        # Saved last: a kill before this line trains the epoch again, and loses nothing.
        self._newest.save(checkpoint_number=epoch + 1)
        self._progress.epoch(
            epoch + 1, float((logs or {}).get("loss", np.nan)), metrics, int(self.best_epoch)
        )
        self.model.stop_training = self.finished


def build_model(
    examples: Path, training: Path, schema: Schema, config: TrainerConfig, progress: Progress
) -> tuple[Tandem, EntityTable, EntityTable]:
    """Makes the untrained model of these examples, with its text vectors computed or read back."""
    items = read_entities(examples, schema, "items")
    users = read_entities(examples, schema, "users")
    text_vectors = _text_vectors(examples, training, schema, items, config, progress)
    model = Tandem(schema, config.model, items, users, text_vectors)
    if schema.label:
        model.ranker.start_from(label_biases(examples, schema))
    return model, items, users


def train(
    examples: Path, training: Path, config: TrainerConfig, progress: Progress, logs: Path | None = None
) -> TrainResult:
    """Trains on `examples/` and leaves checkpoints and training.json in the training folder.

    TensorBoard logs go to `logs`, which is `logs/` in the training folder when not given.

    A training that was cut off goes on from its last whole epoch; one that is finished is not
    repeated; a folder that belongs to other examples or another config is started anew.

    Raises:
      InputError: there is nothing to train on.
    """
    schema = Schema.read(examples)
    if not schema.counts["train"]:
        raise InputError(f"{examples}: no training interactions")
    identity = fingerprint(examples, config)
    result = TrainResult.read(training)
    if result is not None and result.fingerprint == identity:
        return result
    marker = training / "fingerprint"
    if not marker.exists() or marker.read_text() != identity:
        shutil.rmtree(training, ignore_errors=True)
        training.mkdir(parents=True)
        write_whole(marker, identity.encode())
    tf.keras.utils.set_random_seed(config.train.seed)
    model, _, _ = build_model(examples, training, schema, config, progress)
    settings = config.train
    optimizer = tf.keras.optimizers.AdamW(
        settings.learning_rate,
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.gradient_norm,
        use_ema=True,
        ema_momentum=settings.averaging,
        ema_overwrite_frequency=None,
    )
    model.compile(optimizer=optimizer)
    logs = logs or training / "logs"
    validation = Validation(model, examples, schema, config)
    journal = _Journal(training, logs, validation, settings.patience, progress)
    journal.open(model, optimizer)
    if not journal.finished and int(journal.epoch) < settings.epochs:
        batches = training_batches(
            examples, schema, config.model.history + 1, settings.batch_size, settings.seed
        )
        with progress.training(int(journal.epoch), settings.epochs):
            model.fit(
                batches,
                epochs=settings.epochs,
                initial_epoch=int(journal.epoch),
                verbose=0,
                callbacks=[journal, tf.keras.callbacks.TensorBoard(str(logs), write_graph=False)],
            )
    journal.restore_best()
    blend, blended_ndcg = validation.choose_blend()
    metrics = validation.measure()
    result = TrainResult(
        fingerprint=identity,
        epochs=int(journal.epoch),
        best_epoch=int(journal.best_epoch),
        ndcg=metrics["ndcg@10"],
        blend=blend,
        blended_ndcg=blended_ndcg,
        ranking=metrics.get("rmse"),
    )
    result.write(training)
    return result
