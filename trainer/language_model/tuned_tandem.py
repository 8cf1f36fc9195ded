"""The joint model whose language model learns too."""

from __future__ import annotations

from dataclasses import replace

import tensorflow as tf

from preprocessing.schema import Schema
from trainer.config import ModelConfig
from trainer.dataset import EntityTable
from trainer.distribution.id_tables.tables import IdTables
from trainer.distribution.replica import Replica
from trainer.draw import Chance, Draw
from trainer.language_model.config import TuningConfig
from trainer.language_model.table import RefreshedTable
from trainer.language_model.tuned import TunedLanguageModel
from trainer.model import Tandem
from trainer.progress import Progress


class TunedTandem(Tandem):
    """A Tandem that reads some texts of each training step with gradient, and takes the others from a table.

    Read anew are the targets of the step, each once, at most `texts_per_step` of them, drawn at random; they
    are fresh wherever the step meets them, as candidates and in histories too. The table is read once an
    epoch with the averaged weights, as the encoder of keys in He et al. 2020, https://arxiv.org/abs/1911.05722.

    Args:
      schema: of the examples; items must have texts.
      config: the `model:` section.
      items, users: the entity tables.
      language_model: the one that learns.
      tuning: its section of the config.
      id_tables: see `Tandem`.

    Attributes:
      language_model: as given; checkpoints hold what it learns.
    """

    def __init__(
        self,
        schema: Schema,
        config: ModelConfig,
        items: EntityTable,
        users: EntityTable,
        language_model: TunedLanguageModel,
        tuning: TuningConfig,
        id_tables: IdTables | None = None,
    ) -> None:
        if items.tokens is None:
            raise ValueError("items without texts tune no language model")
        texts = [tokens for tokens in (items.tokens, users.tokens) if tokens is not None]
        tables = [RefreshedTable(language_model, tokens) for tokens in texts]
        user_table = tables[1] if len(tables) > 1 else None
        super().__init__(schema, config, items, users, tables[0], user_table, id_tables)
        self.language_model = language_model
        self._encode = language_model.encode
        self._tables = tuple(tables)
        self._tokens = tf.constant(items.tokens)
        self._texts_per_step = tuning.texts_per_step

    def refresh_texts(self, progress: Progress) -> None:
        """Reads all texts with the language model as it is now."""
        for table in self._tables:
            table.refresh(progress)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The weighted sum of the objectives; in training some texts are read anew."""
        draw = self.draw(inputs, training)
        if training:
            rows, tokens = self.choose(draw)
            draw = self.read(draw, rows, tokens)
        return self.report(self.objectives(draw, training))

    def choose(self, draw: Draw) -> tuple[tf.Tensor, tf.Tensor]:
        """Chooses what is read anew: rows of the step's items `[F]`, and this replica's share's tokens."""
        targets = tf.unique(tf.boolean_mask(draw.step.row, draw.valid)).y
        rows = tf.random.experimental.stateless_shuffle(targets, draw.seed_of(Chance.TEXTS))
        rows = rows[: self._texts_per_step]
        tokens = tf.gather(self._tokens, tf.gather(draw.step.index, Replica.here().share(rows)))
        longest = tf.reduce_max(tf.math.count_nonzero(tokens, 1, dtype=tf.int32), 0)
        return rows, tokens[:, : tf.maximum(longest, 1)]

    def read(self, draw: Draw, rows: tf.Tensor, tokens: tf.Tensor, noise: tf.Tensor | None = None) -> Draw:
        """Reads texts with gradient; what one replica reads is fresh for all.

        Args:
          draw: of the step.
          rows: of the step's items that are read `[F]`.
          tokens: of the texts that this replica reads `[F', T]`.
          noise: added to their word embeddings `[F', T, H]`.
        """
        replica = Replica.here()
        fresh = self._encode(tokens, draw.share(replica).seed_of(Chance.LANGUAGE_MODEL), noise)
        if replica.count > 1:
            places = replica.share(tf.range(tf.size(rows)))[:, None]
            fresh = replica.total(tf.scatter_nd(places, fresh, [tf.size(rows), tf.shape(fresh)[1]]))
        text = tf.tensor_scatter_nd_update(self._tables[0](draw.step.index), rows[:, None], fresh)
        return replace(draw, step=replace(draw.step, text=text))
