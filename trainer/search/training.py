"""Learns search from pseudo-queries: L_query."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Entity
from trainer.config import SearchConfig
from trainer.dataset import EntityTable
from trainer.progress import Progress
from trainer.search.pseudo_queries import PseudoQueries
from trainer.search.views import SearchViews
from trainer.tasks.retrieval import CandidateSoftmax
from trainer.tracing import graph

NEGATIVES = 1024
MOST_PIECES = 3
"""Pieces of one item that a training query joins, at most."""


def fit_views(
    views: SearchViews,
    queries: PseudoQueries,
    piece_texts: np.ndarray,
    item_texts: np.ndarray,
    table: EntityTable,
    entity: Entity,
    config: SearchConfig,
    seed: int,
    progress: Progress,
) -> None:
    """Learns views in which pieces of an item find it among others.

    One to three pieces of an item, recombined with softmax weights, have to find it among the items of the
    batch and uniform draws: the same candidate softmax as in retrieval. No other weight of the model takes
    part, so it is learned when the rest is done and cannot harm it.

    Args:
      views: to be trained.
      queries: pieces, and whose they are.
      piece_texts: their text vectors `[Q, H]`.
      item_texts: text vectors of the items by index `[N, H]`.
      table: the items.
      entity: the items of the schema.
      config: the `search:` section.
      seed: of all draws.
      progress: where to show it.
    """
    texts, pieces = tf.constant(item_texts), tf.constant(piece_texts)
    features = {name: tf.constant(values) for name, values in table.features.items()}
    present, first, count = np.unique(queries.items, return_index=True, return_counts=True)
    starts, counts = _by_item(entity.size, present, first), _by_item(entity.size, present, count)
    order = tf.constant(queries.pieces)
    softmax = CandidateSoftmax(config.temperature)
    optimizer = tf.keras.optimizers.Adam(config.learning_rate)
    generator = tf.random.Generator.from_seed(seed)

    @graph
    def step(asked: tf.Tensor) -> tf.Tensor:
        drawn = generator.uniform([NEGATIVES], RESERVED, entity.size, tf.int64)
        index, row = tf.unique(tf.concat([asked, drawn], 0), tf.int64)
        some = generator.uniform([tf.size(asked), MOST_PIECES])
        length = tf.gather(counts, asked)[:, None]
        place = tf.cast(some * tf.cast(length, tf.float32), tf.int64)
        piece = tf.gather(order, tf.gather(starts, asked)[:, None] + tf.minimum(place, length - 1))
        many = generator.uniform([tf.size(asked), 1], 1, MOST_PIECES + 1, tf.int32)
        used = tf.sequence_mask(many[:, 0], MOST_PIECES)
        with tf.GradientTape() as tape:
            read = tf.gather(pieces, piece)
            query = combine(views.interests(read), views.salience(read), used)
            items = views.items(
                tf.gather(texts, index), {name: tf.gather(values, index) for name, values in features.items()}
            )
            weights, count = tf.ones_like(index, tf.float32), tf.cast(tf.size(asked), tf.float32)
            loss = softmax(query, items, row[: tf.size(asked)], weights, count)
        variables = views.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    _run_epochs(step, queries.items, config, seed, progress)


def combine(interests: tf.Tensor, salience: tf.Tensor, used: tf.Tensor) -> tf.Tensor:
    """One vector of length 1 out of interests, weighed by the softmax of their salience.

    Args:
      interests: `[B, I, H]`.
      salience: `[B, I]`.
      used: `[B, I]` bool.

    Returns:
      `[B, H]`; zero where no interest is used.
    """
    return tf.math.l2_normalize(tf.einsum("bi,bih->bh", interest_weights(salience, used), interests), -1)


def interest_weights(salience: tf.Tensor, used: tf.Tensor) -> tf.Tensor:
    """The softmax over the used interests of each query `[B, I]`, 0 elsewhere."""
    shown = tf.where(used, salience, tf.float32.min)
    return tf.where(used, tf.nn.softmax(shown, -1), 0.0)


def _by_item(size: int, present: np.ndarray, values: np.ndarray) -> tf.Tensor:
    table = np.zeros(size, np.int64)
    table[present] = values
    return tf.constant(table)


def _run_epochs(
    step: Callable[[tf.Tensor], tf.Tensor],
    items: np.ndarray,
    config: SearchConfig,
    seed: int,
    progress: Progress,
) -> None:
    shuffle = np.random.default_rng(seed)
    with progress.bar("Learning to search", config.epochs * len(items)) as advance:
        for _ in range(config.epochs):
            order = shuffle.permutation(items)
            losses: list[float] = []
            for begin in range(0, len(order), config.batch_size):
                batch = order[begin : begin + config.batch_size]
                losses.append(float(step(tf.constant(batch))))
                advance(len(batch))
    if len(items):
        progress.say(f"Learned to search: loss {np.mean(losses):.4f}")
