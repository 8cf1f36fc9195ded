import numpy as np
import pytest
import tensorflow as tf

from trainer.config import ScannConfig
from trainer.index import ScannIndex


def _vectors(count: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_small_catalogue_is_searched_exactly():
    vectors, queries = _vectors(300), _vectors(20)
    rows, scores = ScannIndex(vectors, ScannConfig()).search(tf.constant(queries), tf.constant(15))
    exact = queries @ vectors.T
    np.testing.assert_array_equal(rows, np.argsort(-exact, 1)[:, :15])
    np.testing.assert_allclose(scores, -np.sort(-exact, 1)[:, :15], rtol=1e-4, atol=1e-5)


def test_more_than_there_is_gives_all():
    rows, scores = ScannIndex(_vectors(7), ScannConfig()).search(tf.constant(_vectors(2)), tf.constant(50))
    assert [sorted(row) for row in rows.numpy()] == [list(range(7))] * 2
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("count", [10, 60])
def test_a_large_catalogue_is_partitioned(count):
    vectors = _vectors(5000)
    queries = _vectors(40)
    config = ScannConfig(brute_force_below=1000, leaves=50, leaves_to_search=50, reorder=200)
    rows, scores = ScannIndex(vectors, config).search(tf.constant(queries), tf.constant(count))
    exact = np.argsort(-(queries @ vectors.T), 1)[:, :count]
    found = np.mean([len(set(a) & set(b)) / count for a, b in zip(rows.numpy(), exact, strict=True)])
    assert found > 0.95
    assert (np.diff(scores, axis=1) <= 0).all()


def test_where_few_leaves_hold_too_little_all_are_searched():
    config = ScannConfig(brute_force_below=10, leaves=100, leaves_to_search=1, reorder=50)
    index = ScannIndex(_vectors(2000), config)
    for count in (5, 500, 1500, 2000, 9999):
        rows, scores = index.search(tf.constant(_vectors(5)), tf.constant(count))
        assert np.isfinite(scores).all()
        assert all(len(set(row)) == min(count, 2000) for row in rows.numpy())
