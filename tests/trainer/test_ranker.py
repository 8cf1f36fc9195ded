import numpy as np
import pytest
import tensorflow as tf

from trainer.layers.ranker import Ranker

USERS, ITEMS, DIMENSION = 5, 7, 8


@pytest.mark.parametrize(("users", "items"), [(USERS, ITEMS), (0, 0)])
def test_a_list_is_scored_as_its_pairs_are(users, items):
    ranker = Ranker(users, items, DIMENSION, dropout=0.5)
    generator = np.random.default_rng(0)
    user = tf.constant([1, 4, 2])
    item = tf.constant(generator.integers(0, ITEMS + 3, [3, 6]))  # the last three have no ID of their own
    user_vector = tf.constant(generator.normal(size=[3, DIMENSION]), tf.float32)
    item_vectors = tf.constant(generator.normal(size=[3, 6, DIMENSION]), tf.float32)
    pairs = (tf.repeat(user, 6), tf.reshape(item, [-1]), tf.repeat(user_vector, 6, 0))
    ranker(*pairs, tf.reshape(item_vectors, [-1, DIMENSION]))
    for weight in ranker.weights:
        weight.assign(generator.normal(size=weight.shape))
    alone = ranker(*pairs, tf.reshape(item_vectors, [-1, DIMENSION]))
    together = ranker.candidates(user, item, user_vector, item_vectors)
    np.testing.assert_allclose(together, tf.reshape(alone, [3, 6]), rtol=1e-5, atol=1e-5)


def test_the_weights_are_those_that_checkpoints_know():
    ranker = Ranker(USERS, ITEMS, DIMENSION, dropout=0.0, name="ranker")
    ranker(tf.constant([1]), tf.constant([2]), tf.zeros([1, DIMENSION]), tf.zeros([1, DIMENSION]))
    shapes = {weight.name: tuple(weight.shape) for weight in ranker.weights}
    assert shapes["ranker/hidden/kernel:0"] == (3 * DIMENSION, 2 * DIMENSION)
    assert shapes["ranker/output/kernel:0"] == (2 * DIMENSION, 1)
