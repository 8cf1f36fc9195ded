"""Chooses how the tables of item and user IDs are held."""

from __future__ import annotations

import tensorflow as tf

from trainer.distribution.config import AnyDistributionConfig, are_sharded
from trainer.distribution.id_tables.sharded import ShardedTables
from trainer.distribution.id_tables.tables import IdTables


def id_tables(config: AnyDistributionConfig) -> IdTables:
    """Makes the tables that a config asks for.

    To be called in the scope of the strategy that trains; without one nothing is divided, as for export.
    """
    if are_sharded(config) and tf.distribute.has_strategy():
        return ShardedTables()
    return IdTables()
