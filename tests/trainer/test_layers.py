import numpy as np
import pytest
import tensorflow as tf

from preprocessing.schema import Entity, Feature
from trainer.averaging import WeightAverage
from trainer.layers.features import CategoricalEncoder, DenseEncoder, MultiEncoder
from trainer.layers.item_tower import TEXT_TOKENS, ItemTower
from trainer.layers.user_tower import UserTower


@pytest.fixture
def user_tower():
    return UserTower(dimension=8, history=6, blocks=2, heads=2, dropout=0.0)


def test_a_later_item_does_not_change_earlier_user_vectors(user_tower):
    items = tf.random.stateless_normal([1, 6, 8], seed=[1, 2])
    changed = tf.concat([items[:, :3], -items[:, 3:]], 1)
    user = tf.zeros([1, 8])
    before, after = user_tower(items, user).numpy(), user_tower(changed, user).numpy()
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-5)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-3


def test_one_user_vector_alone_is_that_of_all(user_tower):
    items, user = (tf.random.stateless_normal(shape, seed=[1, 2]) for shape in ([4, 6, 8], [4, 8]))
    user_tower(items, user)
    for weight in user_tower.weights:  # those of the distances start at 0
        weight.assign(tf.random.stateless_normal(weight.shape, seed=[3, 4]))
    every, length = user_tower(items, user), tf.constant([0, 6, 3, 1])
    alone = user_tower.after(items, user, length)
    np.testing.assert_allclose(alone, tf.gather(every, length, batch_dims=1), atol=1e-5)


def test_user_vectors_have_length_one_even_without_history(user_tower):
    vectors = user_tower(tf.zeros([3, 0, 8]), tf.random.stateless_normal([3, 8], seed=[1, 1])).numpy()
    assert vectors.shape == (3, 1, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, rtol=1e-5)


def test_encoders_give_zero_for_what_is_not_known():
    categorical = CategoricalEncoder(5, 4)(tf.constant([0, 1, 3])).numpy()
    assert not categorical[:2].any() and categorical[2].any()
    multi_encoder = MultiEncoder(5, 4)
    multi = multi_encoder(tf.constant([[0, 0], [1, 0], [2, 3], [3, 2], [2, 1]])).numpy()
    assert not multi[:2].any()
    np.testing.assert_allclose(multi[2], multi[3])
    np.testing.assert_allclose(multi[4], multi_encoder(tf.constant([[2]])).numpy()[0])
    dense = DenseEncoder(2, 4)
    values = np.array([[np.nan, np.nan], [1, 10], [3, 30], [1, np.nan]], np.float32)
    dense.adapt(values)
    encoded = dense(tf.constant(values)).numpy()
    assert not encoded[[0, 3]].any() and encoded[1].any()
    # Two values are one deviation from their mean each, on either side.
    np.testing.assert_allclose(encoded[1], -encoded[2], rtol=1e-5)


def _items(first_unseen: int) -> Entity:
    feature = Feature(name="genre", kind="categorical", vocabulary="v", size=4)
    return Entity(id_column="item_id", vocabulary="v", size=8, first_unseen=first_unseen, features=(feature,))


def test_an_unseen_item_is_carried_by_its_content_alone():
    tower = ItemTower(_items(first_unseen=5), 4, True, id_dropout=0.0)
    index = tf.range(8, dtype=tf.int64)
    features = {"genre": tf.constant([0, 0, 2, 2, 3, 2, 2, 3])}
    vectors = tower(index, None, features).numpy()
    content = tower.content_vectors(None, features).numpy()
    np.testing.assert_allclose(vectors[5:], content[5:], atol=1e-6)
    assert np.abs(vectors[2:5] - content[2:5]).max() > 1e-3
    np.testing.assert_allclose(vectors[5], vectors[6])
    assert np.abs(vectors[2] - vectors[3]).max() > 1e-3


def test_tokens_of_a_text_say_nothing_until_they_are_learned():
    entity = Entity(id_column="item_id", vocabulary="v", size=8, first_unseen=8)
    tower = ItemTower(entity, 4, item_id=False, id_dropout=0.0, vocabulary=6)
    features = {TEXT_TOKENS: tf.constant([[2, 3, 0], [3, 0, 0], [5, 2, 3], [0, 0, 0]])}
    tower.content_vectors(None, features)
    embeddings, bias = tower.trainable_variables[1], tower.trainable_variables[0]
    assert not embeddings.numpy().any()
    learned = np.arange(24, dtype=np.float32).reshape(6, 4)
    embeddings.assign(learned)
    bias.assign(np.ones(4))
    means = [learned[[2, 3]].mean(0), learned[3], learned[[5, 2, 3]].mean(0), np.zeros(4)]
    expected = np.array(means) + 1
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(tower.content_vectors(None, features), expected, rtol=1e-5)


def test_id_dropout_hides_ids_in_training_only():
    tower = ItemTower(_items(first_unseen=8), 4, True, id_dropout=0.99)
    index = tf.range(8, dtype=tf.int64)
    features = {"genre": tf.constant([0, 0, 2, 2, 3, 2, 2, 3])}
    content = tower.content_vectors(None, features).numpy()
    seeds = [tf.constant([0, number]) for number in range(50)]
    dropped = np.mean(
        [np.isclose(tower(index, None, features, seed=seed), content).all(1)[2:] for seed in seeds]
    )
    assert dropped > 0.9
    assert not np.isclose(tower(index, None, features), content).all(1)[2:].any()


def test_the_weight_average_forgets_the_beginning_and_gives_the_weights_back():
    weight = tf.Variable([8.0])
    average = WeightAverage([weight], decay=0.5)
    expected = 8.0
    for step in range(1, 40):
        weight.assign([float(step)])
        average.update(tf.constant(step))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    with average.applied():
        np.testing.assert_allclose(weight, [expected], rtol=1e-5)
    np.testing.assert_allclose(weight, [39.0])
