import numpy as np
import pytest
import tensorflow as tf

from trainer.search.deviations import Population, deviations


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0.2, 1, shape).astype(np.float32)


def test_a_population_is_known_without_its_vectors():
    vectors, queries = normal(500, 16), normal(3, 16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    products = queries @ vectors.T
    expected = (products - products.mean(1, keepdims=True)) / products.std(1, keepdims=True)
    found = Population(vectors).deviations(tf.constant(products), tf.constant(queries))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(deviations(products, products), expected, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_what_does_not_differ_does_not_stand_out(count):
    vectors, queries = np.tile(normal(1, 16) / 4, (count, 1)), normal(2, 16)
    found = Population(vectors).deviations(queries @ normal(16, 5), queries)
    np.testing.assert_array_equal(found, np.zeros((2, 5)))
    np.testing.assert_array_equal(deviations(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)), 0)


def test_who_asks_for_nothing_finds_nothing_that_stands_out():
    found = Population(normal(40, 16)).deviations(np.zeros((1, 5), np.float32), np.zeros((1, 16), np.float32))
    np.testing.assert_array_equal(found, np.zeros((1, 5)))
