"""What each mode of the language model makes of the joint model and its optimizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import Schema
from trainer.config import ModelConfig, TrainerConfig
from trainer.dataset import EntityTable
from trainer.distribution.id_tables.tables import IdTables
from trainer.distribution.optimizer import ReplicatedAdamW
from trainer.language_model.adversarial import AdversarialTandem
from trainer.language_model.bert import FULL_PRECISION, HALF_PRECISION, LanguageModel
from trainer.language_model.config import LanguageModelConfig, TuningConfig
from trainer.language_model.optimizer import TwoRatesAdamW
from trainer.language_model.table import TextTable, frozen_table
from trainer.language_model.tuned import TunedLanguageModel
from trainer.language_model.tuned_tandem import TunedTandem
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.training_batches import TrainingBatches


def make_tandem(
    examples: Path,
    training: Path,
    schema: Schema,
    config: ModelConfig,
    tables: tuple[EntityTable, EntityTable],
    id_tables: IdTables,
    progress: Progress,
    precision: str,
) -> Tandem:
    """Makes the joint model with its language model.

    Args:
      examples: the folder that holds the language model's.
      training: where the text vectors of a frozen one are kept.
      schema: of the examples.
      config: the `model:` section.
      tables: of items and of users.
      id_tables: which hold the embeddings of items and users.
      progress: where to show how far reading the texts is.
      precision: of a language model that learns, see `LanguageModel`.

    Raises:
      InputError: the language model does not fit its section of the config.
    """
    items, users = tables
    mode = config.language_model
    if isinstance(mode, TuningConfig) and schema.language_model:
        model = TunedLanguageModel(examples / schema.language_model.folder, mode, precision)
        tandem = AdversarialTandem if mode.adversarial else TunedTandem
        return tandem(schema, config, items, users, model, mode, id_tables)

    def frozen(name: str, tokens: np.ndarray | None) -> TextTable | None:
        return _frozen(examples, training, schema, mode, name, tokens, progress)

    item_texts, user_texts = frozen("item", items.tokens), frozen("user", users.tokens)
    return Tandem(schema, config, items, users, item_texts, user_texts, id_tables)


def keep_texts(
    examples: Path,
    training: Path,
    schema: Schema,
    mode: LanguageModelConfig,
    tables: tuple[EntityTable, EntityTable],
    progress: Progress,
) -> None:
    """Lets a frozen language model read the texts, so that they are there when the model is made.

    Args:
      examples: the folder that holds the language model's.
      training: where the text vectors are kept.
      schema: of the examples.
      mode: of the language model; one that learns reads nothing beforehand.
      tables: of items and of users.
      progress: where to show how far reading is.
    """
    if not isinstance(mode, TuningConfig):
        for name, table in zip(("item", "user"), tables, strict=True):
            _frozen(examples, training, schema, mode, name, table.tokens, progress)


def _frozen(
    examples: Path,
    training: Path,
    schema: Schema,
    mode: LanguageModelConfig,
    name: str,
    tokens: np.ndarray | None,
    progress: Progress,
) -> TextTable | None:
    if tokens is None or schema.language_model is None:
        return None
    folder = examples / schema.language_model.folder
    kept = training / f"{name}_texts.npy"
    return frozen_table(kept, lambda: LanguageModel(folder, mode.layers), tokens, progress)


def make_optimizer(
    model: Tandem, config: TrainerConfig, batches: TrainingBatches
) -> tf.keras.optimizers.Optimizer:
    """Makes the optimizer; the batches of the first epoch are counted where a rate falls with them."""
    settings, mode = config.train, config.model.language_model
    towers = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    if isinstance(mode, TuningConfig) and isinstance(model.language_model, TunedLanguageModel):
        steps = settings.epochs * int(batches.epoch(0).reduce(np.int64(0), lambda count, _: count + 1))
        return TwoRatesAdamW(model.language_model, mode, steps, settings.gradient_norm, **towers)
    return ReplicatedAdamW(**towers, global_clipnorm=settings.gradient_norm)


def training_precision(config: LanguageModelConfig, progress: Progress) -> str:
    """What the language model computes in while training: what the config asks for, if there is a GPU."""
    if not (isinstance(config, TuningConfig) and config.mixed_precision):
        return FULL_PRECISION
    if tf.config.list_physical_devices("GPU"):
        return HALF_PRECISION
    progress.say("model.language_model.mixed_precision is left: TensorFlow sees no GPU, float32 is used")
    return FULL_PRECISION
