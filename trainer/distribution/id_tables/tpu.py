"""The tables of item and user IDs in the memory of a TPU, divided among its cores."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from preprocessing.schema import PADDING
from trainer.distribution.cluster import Cluster
from trainer.distribution.id_tables.tables import Entity, IdTables
from trainer.draw import DRAWN, Draw


@dataclass(frozen=True)
class TpuTable:
    """One table of a TPU.

    Attributes:
      rows: of the table.
      looked_up: the most rows that a step reads; a TPU wants them to be the same in each.
      initializer: of the values.
    """

    rows: int
    looked_up: int
    initializer: str


class HostCopy:
    """The rows of a table that a TPU holds, as they were when last fetched, to be read outside of steps."""

    device = "CPU:0"

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self.values: np.ndarray | None = None

    def sparse_read(self, indices: tf.Tensor, name: str | None = None) -> tf.Tensor:
        """Rows by number, as `tf.gather` asks for them."""
        rows = tf.numpy_function(self._rows, [indices], tf.float32, name=name)
        width = None if self.values is None else self.values.shape[1]
        return tf.ensure_shape(rows, [*indices.shape, width])

    def _rows(self, indices: np.ndarray) -> np.ndarray:
        if self.values is None:
            raise ValueError(f"the embeddings of {self._entity} are on the TPU and were not fetched")
        rows: np.ndarray = self.values[indices]
        return rows


class TpuTables(tf.keras.layers.Layer, IdTables):
    """The embeddings of items and users in one `tfrs.layers.embedding.TPUEmbedding`.

    A TPU looks rows up by numbers that come from the host with a step's batch, and so the step is drawn
    there: see `prepared`. It learns the rows itself, by Adam with the arithmetic of the other weights, but
    their gradients are no part of the norm that gradients are scaled down by, and they have no running
    average.

    Without a TPU, as for export, `TPUEmbedding` holds plain variables, which the optimizer of the other
    weights learns.

    Args:
      tables: by what they are of.
      dimension: width D.
      optimizer: of a TPU's tables.
    """

    def __init__(
        self, tables: Mapping[Entity, TpuTable], dimension: int, optimizer: tf.tpu.experimental.embedding.Adam
    ) -> None:
        super().__init__(name="id_tables")
        embedding = tf.tpu.experimental.embedding
        configs = {
            entity: embedding.TableConfig(
                table.rows, dimension, tf.keras.initializers.get(table.initializer), name=entity
            )
            for entity, table in tables.items()
        }
        copies = {entity: HostCopy(entity) for entity in tables}
        # Hidden from Keras, which would take dictionaries for layers.
        self._sizes, self._configs, self._copies = lambda: tables, lambda: configs, lambda: copies
        features = {
            entity: embedding.FeatureConfig(config, name=entity) for entity, config in configs.items()
        }
        self._on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        self._embedding = tfrs.layers.embedding.TPUEmbedding(features, optimizer if self._on_tpu else None)
        self._embedding.build({entity: tf.TensorShape([table.looked_up]) for entity, table in tables.items()})

    def add(
        self, entity: Entity, layer: tf.keras.layers.Layer, name: str, shape: Sequence[int], initializer: Any
    ) -> tf.Variable | HostCopy:
        """What a layer reads outside of steps: the table, or a copy of what the TPU holds."""
        if self._on_tpu:
            return self._copies()[entity]
        return self._embedding.embedding_tables[self._configs()[entity]]

    def prepared(
        self,
        batches: tf.data.Dataset,
        draw: Callable[..., Draw],
        known_user: Callable[[tf.Tensor], tf.Tensor],
    ) -> tf.data.Dataset:
        """Draws the steps of batches on the host, and puts the rows that they read beside them."""

        def drawn(batch: dict[str, Any]) -> dict[str, Any]:
            step = self._with_rows(draw(batch, training=True), known_user)
            return batch | {DRAWN: step.written()}

        return batches.map(drawn)

    def _with_rows(self, draw: Draw, known_user: Callable[[tf.Tensor], tf.Tensor]) -> Draw:
        tables, rows, step = self._sizes(), {}, draw.step
        if "items" in tables:
            index = _filled(step.index, tables["items"].looked_up)
            step = replace(step, index=index, weights=_filled(step.weights, tables["items"].looked_up))
            rows["items"] = tf.cast(tf.minimum(index, tables["items"].rows - 1), tf.int32)
        if "users" in tables:
            rows["users"] = tf.cast(_filled(known_user(draw.user), tables["users"].looked_up), tf.int32)
        return replace(draw, step=step, rows=rows)

    def look_up(self, draw: Draw, known_user: Callable[[tf.Tensor], tf.Tensor]) -> Draw:
        """Puts the embeddings of a step's items and users beside them."""
        if draw.rows is None:
            return draw
        vectors = self._embedding(draw.rows)
        if "items" in vectors:
            draw = replace(draw, step=replace(draw.step, ids=vectors["items"]))
        if "users" in vectors:
            draw = replace(draw, personal=vectors["users"][: tf.shape(draw.user)[0]])
        return draw

    @contextlib.contextmanager
    def whole(self, cluster: Cluster) -> Iterator[None]:
        """Fetches the tables from the TPU; they are what they were then while the block lasts."""
        if self._on_tpu:
            for entity, values in saved_tables(self._embedding, list(self._sizes())).items():
                self._copies()[entity].values = values
        yield


def saved_tables(
    embedding: tfrs.layers.embedding.TPUEmbedding, entities: Sequence[Entity]
) -> dict[Entity, np.ndarray]:
    """The values of tables, by way of a checkpoint: there is no other public way to what a TPU holds."""
    with tempfile.TemporaryDirectory() as folder:
        saved = tf.train.load_checkpoint(tf.train.Checkpoint(embedding=embedding).save(f"{folder}/tables"))
        found = {_entity(name): name for name in saved.get_variable_to_shape_map()}
        return {entity: saved.get_tensor(found[entity]) for entity in entities}


def _entity(name: str) -> str:
    """What a checkpoint's name ends in, `…/items/.ATTRIBUTES/…` as `…/items/parameters/.ATTRIBUTES/…`."""
    parts = name.split("/")[:-2]
    return parts[-2] if parts[-1:] == ["parameters"] else "".join(parts[-1:])


def _filled(values: tf.Tensor, size: int) -> tf.Tensor:
    """Values `[M]` and padding behind them `[size]`."""
    filled = tf.pad(values, [[0, size - tf.size(values)]], constant_values=PADDING)
    return tf.ensure_shape(filled, [size])
