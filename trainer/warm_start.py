"""Starts a model from the weights of an older one, whose vocabularies were smaller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Entity, InputError, Schema, folder_digest, read_vocabulary
from trainer.config import ModelConfig, TrainerConfig
from trainer.distribution.id_tables.tpu import TpuTables
from trainer.language_model.config import FrozenConfig, LanguageModelConfig, TuningConfig
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.refit import exported_checkpoint
from trainer.result import TrainResult
from trainer.train import build_model

FREE = frozenset(
    {"dropout", "ranker_dropout", "id_dropout", "user_dropout", "temperature", "negatives", "loss"}
)
"""The keys of `model:` that say how it is trained, not what its weights are."""

FREE_OF_LANGUAGE_MODEL = {"dropout", *TuningConfig.model_fields} - set(LanguageModelConfig.model_fields)
"""The same of `model.language_model:`."""


@dataclass(frozen=True)
class Rows:
    """A weight with a row (or a column) for each index of a vocabulary.

    Attributes:
      old, new: the vocabularies by index, the two reserved indices left out; of the old one, as far as the
        older model has rows.
      axis: which axis of the weight the indices are.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    axis: int = 0

    def moved(self, old: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The old weight in its new places; zero, as for what training never saw, where there was none."""
        places = {value: index for index, value in enumerate(self.old, RESERVED)}
        pairs = [(index, places[value]) for index, value in enumerate(self.new, RESERVED) if value in places]
        target, source = np.array([*((each, each) for each in range(RESERVED)), *pairs]).T
        moved = np.zeros(shape, old.dtype)
        rows = np.moveaxis(moved, self.axis, 0)
        rows[target] = np.moveaxis(old, self.axis, 0)[source]
        return moved


@dataclass(frozen=True)
class WarmStart:
    """An older model to start from.

    What it learned about single items, users and values of attributes is found by their ids; what it does
    not know starts like what training never saw, at zero. All other weights are taken as they are. Where the
    older model's language model was frozen, the newer one's may learn: it starts as it is. Where the older
    model predicted no attributes (`loss.beta` 0), the newer one learns to from the beginning.

    Attributes:
      examples: that it was trained on.
      training: its training folder.
      config: the trainer's sections of its config.
    """

    examples: Path
    training: Path
    config: TrainerConfig

    def into(self, model: Tandem, examples: Path, progress: Progress) -> None:
        """Gives a model of newer examples the older one's weights.

        Args:
          model: not trained yet.
          examples: that it is going to be trained on.
          progress: where to tell.

        Raises:
          InputError: the older model is not finished, one has weights that the other cannot have, or a TPU
            holds the newer one's tables.
        """
        if isinstance(model.id_tables, TpuTables):
            raise InputError(
                "train.distribution.id_tables: tables that a TPU holds cannot start from an older model; "
                "choose replicated"
            )
        schema = Schema.read(self.examples)
        checkpoint = exported_checkpoint(self.training, self.config.train.refit)
        if TrainResult.read(self.training) is None or checkpoint is None:
            raise InputError(f"{self.training}: no finished training to start from")
        _check_config(self.config.model, model.config)
        _check_schema(self.examples, schema, examples, Schema.read(examples))
        older, _, _ = build_model(self.examples, self.training, schema, self.config, progress)
        tf.train.Checkpoint(model=older).restore(checkpoint).assert_existing_objects_matched()
        items = _known(self.examples, schema.items), _known(examples, model.schema.items)
        users = _known(self.examples, schema.users), _known(examples, model.schema.users)
        tables = _tables(self.examples, older.schema, examples, model.schema, Rows(*items), Rows(*users))
        # Both are made of the same config and the same attributes, so their weights stand in the same order.
        for old, new in zip(_shared(older, model), _shared(model, older), strict=True):
            assert _name(old) == _name(new)
            rows = tables.get(new.name.removesuffix(":0"))
            new.assign(old if rows is None else rows.moved(old.numpy(), tuple(new.shape)))
        shares = (
            f"{len(set(old) & set(new)):,} of {len(new):,} {name}"
            for name, (old, new) in (("items", items), ("users", users))
        )
        progress.say(f"Starting from {self.training}, which knows {' and '.join(shares)}")


def _shared(model: Tandem, other: Tandem) -> list[tf.Variable]:
    """The weights that the other model has too: what does not learn in one of them has none there."""
    own = {
        weight.ref()
        for part, counterpart in (
            (model.language_model, other.language_model),
            (model.attributes, other.attributes),
        )
        if part is not None and (counterpart is None or not counterpart.variables)
        for weight in part.variables
    }
    return [weight for weight in model.variables if weight.ref() not in own]


def _name(weight: tf.Variable) -> str:
    """A weight's name without the number that the BERTs of one process have."""
    return re.sub(r"^([^/]+?)_\d+/", r"\1/", weight.name)


def _known(examples: Path, entity: Entity) -> tuple[str, ...]:
    """The ids that have training interactions."""
    return tuple(read_vocabulary(examples / entity.vocabulary)[: entity.first_unseen - RESERVED])


def _tables(
    older_examples: Path, older: Schema, newer_examples: Path, newer: Schema, items: Rows, users: Rows
) -> dict[str, Rows]:
    """The weights that belong to single items, users and values of attributes, by name."""
    tables = {
        "item_tower/id/embeddings": items,
        "item_bias": items,
        "user_bias": users,
        "user_embedding": users,
    }
    for old, new, tower in ((older.items, newer.items, "item_tower"), (older.users, newer.users, "profile")):
        for one, other in zip(old.features, new.features, strict=True):
            if one.vocabulary and other.vocabulary:
                values = Rows(
                    tuple(read_vocabulary(older_examples / one.vocabulary)),
                    tuple(read_vocabulary(newer_examples / other.vocabulary)),
                )
                tables[f"{tower}/features/{other.name}/embedding/embeddings"] = values
                if tower == "item_tower":
                    tables[f"attributes/{other.name}/kernel"] = replace(values, axis=1)
                    tables[f"attributes/{other.name}/bias"] = values
    return tables


def _check_config(older: ModelConfig, newer: ModelConfig) -> None:
    """Refuses another shape of the model.

    Raises:
      InputError: every key that differs.
    """
    old, new = _shape(older), _shape(newer)
    if isinstance(older.language_model, FrozenConfig):
        old["language_model"], new["language_model"] = (
            {"layers": each.language_model.layers} for each in (older, newer)
        )
    differences = [
        f"model.{key}: {old[key]!r} in the older model, {new[key]!r} here"
        for key in new
        if old[key] != new[key]
    ]
    # A ranker that is not trained keeps its weights in another order.
    if bool(older.loss.alpha) != bool(newer.loss.alpha):
        differences.append(
            f"model.loss.alpha: {older.loss.alpha} in the older model, {newer.loss.alpha} here"
        )
    _refuse(differences)


def _shape(config: ModelConfig) -> dict[str, Any]:
    """The keys of `model:` that give the weights their shape and meaning."""
    shape = config.model_dump(by_alias=True, exclude=set(FREE))
    shape["language_model"] = config.language_model.model_dump(exclude=FREE_OF_LANGUAGE_MODEL)
    return shape


def _check_schema(older_examples: Path, older: Schema, newer_examples: Path, newer: Schema) -> None:
    """Refuses examples of other columns.

    Raises:
      InputError: everything that differs.
    """
    differences = []
    for what, old, new in (("items", older.items, newer.items), ("users", older.users, newer.users)):
        had, has = ([(each.name, each.kind, each.length) for each in one.features] for one in (old, new))
        if had != has:
            differences.append(
                f"attributes of {what}: {_listed(had)} in the older examples, {_listed(has)} here"
            )
        if (old.text is None) != (new.text is None):
            differences.append(f"texts of {what}: in the {'newer' if new.text else 'older'} examples alone")
    if (older.label is None) != (newer.label is None):
        differences.append(f"labels: in the {'newer' if newer.label else 'older'} examples alone")
    if _language_model(older_examples, older) != _language_model(newer_examples, newer):
        differences.append("the language model: another one in the older examples")
    _refuse(differences)


def _listed(features: Sequence[tuple[str, str, int]]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind, _ in features) or "none"


def _language_model(examples: Path, schema: Schema) -> str | None:
    return None if schema.language_model is None else folder_digest(examples / schema.language_model.folder)


def _refuse(differences: Sequence[str]) -> None:
    if differences:
        raise InputError("a model cannot start from one of another shape:\n" + "\n".join(differences))
