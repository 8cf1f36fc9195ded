"""Chooses how the tables of item and user IDs are held."""

from __future__ import annotations

import tensorflow as tf

from preprocessing.schema import InputError, Schema
from trainer.config import TrainConfig, TrainerConfig
from trainer.distribution.config import TpuConfig, are_sharded
from trainer.distribution.id_tables.sharded import ShardedTables
from trainer.distribution.id_tables.tables import Entity, IdTables
from trainer.distribution.id_tables.tpu import TpuTable, TpuTables
from trainer.negatives import takes_all
from trainer.training_batches import largest_batch


def id_tables(schema: Schema, config: TrainerConfig) -> IdTables:
    """Makes the tables that a config asks for.

    To be called in the scope of the strategy that trains; without one nothing is divided, as for export.

    Raises:
      InputError: tables are to be divided of which each step would read all rows.
    """
    if not are_sharded(config.train.distribution):
        return IdTables()
    negatives = config.model.negatives
    if takes_all(negatives, schema.items.first_unseen):
        raise InputError(
            "train.distribution.id_tables: sharded needs sampled negatives, and with model.negatives.kind: "
            f"{negatives.kind} each step on these examples reads the whole table of items; choose sampled, "
            "or replicated tables"
        )
    if isinstance(config.train.distribution, TpuConfig):
        return TpuTables(_tables(schema, config), config.model.dimension, _optimizer(config.train))
    return ShardedTables() if tf.distribute.has_strategy() else IdTables()


def _tables(schema: Schema, config: TrainerConfig) -> dict[Entity, TpuTable]:
    model, tables = config.model, dict[Entity, TpuTable]()
    windows, places = largest_batch(model.history + 1, config.train.batch_size)
    if model.item_id:
        items = places + model.negatives.uniform
        tables["items"] = TpuTable(schema.items.first_unseen, items, "uniform")
    if model.user_id:
        tables["users"] = TpuTable(schema.users.first_unseen, windows, "zeros")
    return tables


def _optimizer(config: TrainConfig) -> tf.tpu.experimental.embedding.Adam:
    """Adam as the other weights have it: also for rows that a step did not read, and with epsilon outside."""
    return tf.tpu.experimental.embedding.Adam(
        config.learning_rate,
        lazy_adam=False,
        sum_inside_sqrt=False,
        weight_decay_factor=config.weight_decay or None,
        multiply_weight_decay_factor_by_learning_rate=True if config.weight_decay else None,
    )
