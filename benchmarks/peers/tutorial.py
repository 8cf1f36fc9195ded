"""The two-tower model of TensorFlow Recommenders' first tutorial, which many a project starts from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from pipelines.evaluation.cases import Indices, Interactions
from pipelines.evaluation.peers.peer import Kind, Peer, Settings

RUNS = (
    (8192, 32, 0.1, (1, 3)),
    (1024, 32, 0.1, (1, 3, 8)),
    (1024, 32, 0.5, (1, 3, 8)),
    (1024, 64, 0.1, (1, 3, 8)),
)
"""Batch size, dimension, learning rate, and the epochs after which the model is judged.

The first run ends as the tutorial does. The others have smaller batches, whose epochs cost an eighth.
"""


class TwoTowers(tfrs.Model):
    """A vector for each user id and one for each item id, trained to find each other within the batch.

    https://www.tensorflow.org/recommenders/examples/basic_retrieval, with its optimizer.

    Args:
      user_ids, item_ids: the vocabularies.
      dimension: of the vectors.
    """

    def __init__(self, user_ids: np.ndarray, item_ids: np.ndarray, dimension: int) -> None:
        super().__init__()
        self.users = _tower(user_ids, dimension)
        self.items = _tower(item_ids, dimension)
        self._task = tfrs.tasks.Retrieval()

    def compute_loss(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The in-batch softmax of (user id, item id) pairs, each `[B]`."""
        users, items = inputs
        return self._task(self.users(users), self.items(items))


class Products:
    """Scores an item by its product with the user's vector; of a user it has none of, it knows nothing.

    Args:
      users: `[U, D]`, zero where there is none.
      items: `[N, D]`.
    """

    def __init__(self, users: np.ndarray, items: np.ndarray) -> None:
        self._users = users
        self._items = items

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        return self._users[users] @ self._items.T


def tfrs_tutorial(user_ids: np.ndarray, item_ids: np.ndarray) -> Kind:
    """The tutorial's model over batch sizes, dimensions, learning rates and epochs.

    Args:
      user_ids: the raw ids by index `[U]`; of users without interactions there is no vector.
      item_ids: the raw ids by index `[N]`.
    """
    grid = [
        {"batch": batch, "dimension": dimension, "learning rate": rate, "epochs": epochs}
        for batch, dimension, rate, stops in RUNS
        for epochs in stops
    ]

    def run(settings: Settings) -> tuple[float, ...]:
        return settings["batch"], settings["dimension"], settings["learning rate"]

    def fit(interactions: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        known = np.bincount(interactions.user, minlength=len(user_ids)) > 0
        pairs = tf.data.Dataset.from_tensor_slices(
            (user_ids[interactions.user].astype(bytes), item_ids[interactions.item].astype(bytes))
        )
        pairs = pairs.shuffle(len(interactions.user), seed=0)
        for (batch, dimension, rate), stops in itertools.groupby(grid, run):
            tf.keras.utils.set_random_seed(0)
            model = TwoTowers(user_ids[known], item_ids, int(dimension))
            model.compile(optimizer=tf.keras.optimizers.Adagrad(rate))
            done = 0
            for stop in stops:
                epochs = int(stop["epochs"])
                model.fit(pairs.batch(int(batch)), initial_epoch=done, epochs=epochs, verbose=0)
                done = epochs
                users = np.where(known[:, None], _vectors(model.users, user_ids), 0)
                yield Products(users, _vectors(model.items, item_ids))

    return Kind("TFRS tutorial", grid, fit)


def _tower(ids: np.ndarray, dimension: int) -> tf.keras.Model:
    lookup = tf.keras.layers.StringLookup(vocabulary=np.unique(ids[ids != b""]).astype(bytes))
    return tf.keras.Sequential([lookup, tf.keras.layers.Embedding(lookup.vocabulary_size(), dimension)])


def _vectors(tower: tf.keras.Model, ids: np.ndarray) -> np.ndarray:
    return tower(tf.constant(ids.astype(bytes))).numpy()
