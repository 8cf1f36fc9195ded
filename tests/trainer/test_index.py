import itertools

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import ExportConfig, PortableConfig, ScannConfig
from trainer.index import build_index
from trainer.index.partitions import partition
from trainer.index.portable import ExactIndex, PartitionedIndex
from trainer.index.scann import ScannIndex

KINDS = ("scann", "portable")


def _vectors(count: int, dimension: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _index(kind, vectors, progress, **sizes):
    return build_index(vectors, ExportConfig.model_validate({"index": kind, kind: sizes}), progress)


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_catalogue_is_searched_exactly(kind, progress):
    vectors, queries = _vectors(300), _vectors(20)
    rows, scores = _index(kind, vectors, progress).search(tf.constant(queries), tf.constant(15))
    exact = queries @ vectors.T
    np.testing.assert_array_equal(rows, np.argsort(-exact, 1)[:, :15])
    np.testing.assert_allclose(scores, -np.sort(-exact, 1)[:, :15], rtol=1e-4, atol=1e-5)


def test_the_kind_follows_from_settings_and_size(progress):
    assert isinstance(build_index(_vectors(50), ExportConfig(), progress), ScannIndex)
    assert isinstance(_index("portable", _vectors(50), progress), ExactIndex)
    assert isinstance(_index("portable", _vectors(50), progress, brute_force_below=49), PartitionedIndex)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [{}, {"brute_force_below": 2}])
def test_more_than_there_is_gives_all(kind, sizes, progress):
    index = _index(kind, _vectors(7), progress, **sizes if kind == "portable" else {})
    rows, scores = index.search(tf.constant(_vectors(2)), tf.constant(50))
    assert [sorted(row) for row in rows.numpy()] == [list(range(7))] * 2
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "config",
    [
        {"scann": ScannConfig(brute_force_below=1000, leaves=50, leaves_to_search=50, reorder=300)},
        {"index": "portable", "portable": PortableConfig(brute_force_below=1000, leaves_to_search=60)},
    ],
)
@pytest.mark.parametrize("count", [10, 60])
def test_a_large_catalogue_is_partitioned(config, count, progress):
    vectors = _vectors(5000)
    queries = _vectors(40)
    index = build_index(vectors, ExportConfig(**config), progress)
    rows, scores = index.search(tf.constant(queries), tf.constant(count))
    exact = np.argsort(-(queries @ vectors.T), 1)[:, :count]
    found = np.mean([len(set(a) & set(b)) / count for a, b in zip(rows.numpy(), exact, strict=True)])
    assert found > 0.95
    assert (np.diff(scores, axis=1) <= 0).all()
    rows = rows.numpy()
    np.testing.assert_allclose(scores, np.einsum("qd,qcd->qc", queries, vectors[rows]), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_where_few_leaves_hold_too_little_all_are_searched(kind, progress):
    index = _index(kind, _vectors(2000), progress, brute_force_below=10, leaves=100, leaves_to_search=1)
    for count in (5, 500, 1500, 2000, 9999):
        rows, scores = index.search(tf.constant(_vectors(5)), tf.constant(count))
        assert np.isfinite(scores).all()
        assert all(len(set(row)) == min(count, 2000) for row in rows.numpy())


@pytest.mark.parametrize("dimension", [4, 16, 30])
def test_a_batch_is_searched_as_its_queries_alone_and_no_query_gives_nothing(dimension, progress):
    vectors = _vectors(500, dimension)
    index = _index("portable", vectors, progress, brute_force_below=10, leaves=20, leaves_to_search=4)
    search = tf.function(
        index.search, input_signature=[tf.TensorSpec([None, dimension]), tf.TensorSpec([], tf.int32)]
    )
    together, _ = search(vectors[:9], 5)
    for number in range(9):
        np.testing.assert_array_equal(search(vectors[number : number + 1], 5)[0][0], together[number])
    assert search(vectors[:0], 5)[0].shape[0] == 0


def test_leaves_hold_every_row_once_whatever_the_vectors(progress):
    same = np.ones((40, 4), np.float32) / 2
    for vectors, leaves in ((_vectors(300), 17), (_vectors(5), 5), (_vectors(1), 1), (same, 8)):
        centroids, order, splits = partition(vectors, leaves, progress)
        assert sorted(order) == list(range(len(vectors)))
        assert splits[0] == 0 and splits[-1] == len(vectors) and (np.diff(splits) >= 0).all()
        assert len(splits) == leaves + 1 and np.isfinite(centroids).all()
        again = partition(vectors, leaves, progress)
        np.testing.assert_array_equal(order, again[1])


def test_clusters_become_leaves(progress):
    centres = _vectors(8)
    noise = 0.05 * np.random.default_rng(1).normal(size=(800, 16)).astype(np.float32)
    cluster = np.arange(800) % 8
    vectors = centres[cluster] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    _, order, splits = partition(vectors, 24, progress)
    pure = [len(set(cluster[order[begin:end]])) <= 1 for begin, end in itertools.pairwise(splits)]
    assert np.mean(pure) > 0.8
