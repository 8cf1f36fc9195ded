import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.schema import RESERVED
from trainer.config import NegativesConfig
from trainer.negatives import SampledItems, WholeCatalogue, step_items
from trainer.tasks import retrieval
from trainer.tasks.retrieval import CandidateSoftmax


def unit(generator, *shape):
    vectors = generator.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def reference(queries, candidates, targets, weights, temperature, hardness=0.0):
    """The loss as the textbook writes it, for TensorFlow to differentiate."""
    scores = tf.matmul(queries, candidates, transpose_b=True) / temperature
    own = tf.gather(scores, targets, batch_dims=1)
    tilt = tf.stop_gradient(tf.exp(hardness * scores))
    tilt /= tf.reduce_sum(tilt * weights, 1, keepdims=True) / tf.reduce_sum(weights)
    others = 1.0 - tf.one_hot(targets, tf.shape(candidates)[0])
    negatives = tf.reduce_sum(tf.exp(scores) * weights * tilt * others, 1)
    return tf.reduce_mean(tf.math.log(tf.exp(own) + negatives) - own)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 40),
    st.integers(2, 30),
    st.sampled_from([0.05, 0.1, 1.0]),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 2**20),
)
def test_loss_and_gradients_are_those_of_the_textbook(count, size, temperature, hardness, seed):
    generator = np.random.default_rng(seed)
    queries = tf.constant(unit(generator, count, 4))
    candidates = tf.constant(unit(generator, size, 4))
    targets = tf.constant(generator.integers(0, size, count))
    weights = tf.constant(generator.choice([0.0, 0.5, 1.0, 3.0], size).astype(np.float32))
    weights = tf.tensor_scatter_nd_update(weights, [[0]], [1.0])
    task = CandidateSoftmax(temperature, hardness)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([queries, candidates])
        loss = 3.0 * task(queries, candidates, targets, weights, float(count))
        expected = 3.0 * reference(queries, candidates, targets, weights, temperature, hardness)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    for found, wanted in zip(
        tape.gradient(loss, [queries, candidates]),
        tape.gradient(expected, [queries, candidates]),
        strict=True,
    ):
        # Small entries are differences of large ones, so single precision goes by the largest.
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5 * max(1.0, np.abs(wanted).max()))


def test_many_queries_are_scored_part_by_part():
    generator = np.random.default_rng(0)
    count = 2 * retrieval.QUERIES + 3
    queries, candidates = unit(generator, count, 3), unit(generator, 7, 3)
    targets, weights = generator.integers(0, 7, count), np.ones(7, np.float32)
    loss = CandidateSoftmax(0.5)(queries, candidates, targets, weights, float(count))
    np.testing.assert_allclose(loss, reference(queries, candidates, targets, weights, 0.5), rtol=1e-5)


def test_the_softmax_of_nothing_is_zero():
    loss = CandidateSoftmax(0.1)(
        tf.zeros([0, 3]), tf.zeros([4, 3]), tf.zeros([0], tf.int64), tf.ones([4]), 0.0
    )
    assert float(loss) == 0.0


COUNTS = np.array([0, 0, 60, 20, 10, 6, 3, 1, 0, 0])
FIRST_UNSEEN = 8


def drawn_by_popularity(generator, count):
    share = COUNTS[:FIRST_UNSEEN] / COUNTS.sum()
    return generator.choice(FIRST_UNSEEN, count, p=share)


def test_a_candidate_weighs_what_it_stands_for_on_average():
    tf.random.set_seed(1)
    generator = np.random.default_rng(1)
    sampled = SampledItems(COUNTS, FIRST_UNSEEN, uniform=8)
    total = np.zeros(len(COUNTS))
    rounds = 3000
    for number in range(rounds):
        items = drawn_by_popularity(generator, 12).reshape(3, 4)
        step = sampled(tf.constant(items), tf.ones([3, 4], tf.bool), [1, number])
        np.testing.assert_array_equal(tf.gather(step.index, step.row), items)
        np.add.at(total, step.index.numpy(), step.weights.numpy())
    np.testing.assert_allclose(total[RESERVED:FIRST_UNSEEN] / rounds, 1.0, atol=0.05)
    assert not total[:RESERVED].any() and not total[FIRST_UNSEEN:].any()


@pytest.mark.parametrize("size", [20, 2000])
def test_log_q_brings_the_sampled_loss_to_the_exact_softmax(size):
    """The mean over draws of the estimated sum over the catalogue, and so the loss of a large sample."""
    tf.random.set_seed(2)
    generator = np.random.default_rng(2)
    catalogue = np.zeros((len(COUNTS), 4), np.float32)
    catalogue[RESERVED:] = unit(generator, len(COUNTS) - RESERVED, 4)
    queries = unit(generator, size, 4)
    task = CandidateSoftmax(0.3)
    exact_step = WholeCatalogue(len(COUNTS), FIRST_UNSEEN)
    sampled = SampledItems(COUNTS, FIRST_UNSEEN, uniform=size)
    sums, uncorrected, exacts = [], [], []
    for number in range(400 if size == 20 else 20):
        items = tf.constant(drawn_by_popularity(generator, size)[None])
        valid = tf.ones_like(items, tf.bool)
        exact, step = (choose(items, valid, [2, number]) for choose in (exact_step, sampled))
        vectors = tf.gather(catalogue, step.index)
        exacts.append(float(task(queries, catalogue, exact.row[0], exact.weights, float(size))))
        sums.append(float(task(queries, vectors, step.row[0], step.weights, float(size))))
        drawn = tf.cast(step.weights > 0, tf.float32)
        uncorrected.append(
            float(task(queries, vectors, step.row[0], drawn * size / len(COUNTS), float(size)))
        )
    # A logarithm of an unbiased sum is biased a little, the less the larger the sample.
    np.testing.assert_allclose(np.mean(sums), np.mean(exacts), atol=0.05 if size == 20 else 0.002)
    assert abs(np.mean(uncorrected) - np.mean(exacts)) > 0.2


def test_sampled_gradients_are_those_of_the_exact_softmax_on_average():
    tf.random.set_seed(3)
    generator = np.random.default_rng(3)
    catalogue = tf.constant(unit(generator, len(COUNTS), 4))
    queries = tf.constant(unit(generator, 500, 4))
    task = CandidateSoftmax(0.3)
    total = {"exact": np.zeros((len(COUNTS), 4)), "sampled": np.zeros((len(COUNTS), 4))}
    choices = {
        "exact": WholeCatalogue(len(COUNTS), FIRST_UNSEEN),
        "sampled": SampledItems(COUNTS, FIRST_UNSEEN, uniform=200),
    }
    for number in range(50):
        items = tf.constant(drawn_by_popularity(generator, 500)[None])
        for name, choose in choices.items():
            step = choose(items, tf.ones_like(items, tf.bool), [3, number])
            with tf.GradientTape() as tape:
                tape.watch(catalogue)
                loss = task(queries, tf.gather(catalogue, step.index), step.row[0], step.weights, 500.0)
            total[name] += tf.convert_to_tensor(tape.gradient(loss, catalogue)).numpy() / 50
    error = np.abs(total["sampled"] - total["exact"]).max()
    assert error < 0.02 * np.abs(total["exact"]).max()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (NegativesConfig(), WholeCatalogue),
        (NegativesConfig(full_below=5), SampledItems),
        (NegativesConfig(kind="full", full_below=5), WholeCatalogue),
        (NegativesConfig(kind="sampled"), SampledItems),
    ],
)
def test_the_config_or_the_catalogue_decides(config, expected):
    assert type(step_items(config, COUNTS, FIRST_UNSEEN)) is expected
