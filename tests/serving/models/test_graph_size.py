"""What is counted decides in which threads a graph runs."""

import pytest
import tensorflow as tf

from serving.models.graph_size import GraphSize
from serving.models.saved_model import LoadedModel


@pytest.fixture(scope="module")
def unequal(tmp_path_factory):
    """A SavedModel with a signature of a few operations and one of more than 1,000."""
    folder = tmp_path_factory.mktemp("unequal")

    def small(x):
        return {"y": x + 1.0}

    @tf.function(input_signature=[tf.TensorSpec([])])
    def many(x):
        for _ in range(500):
            x = tf.abs(x) + 1.0
        return x

    def large(x):
        return {"y": many(x)}

    signatures = {
        name: tf.function(each, input_signature=[tf.TensorSpec([], name="x")], autograph=False)
        for name, each in (("small", small), ("large", large))
    }
    tf.saved_model.save(tf.Module(), str(folder), signatures)
    return folder


def test_operations_are_counted_where_they_are_called():
    graph = tf.Graph()
    with graph.as_default():

        @tf.function(input_signature=[tf.TensorSpec([])])
        def twice(x):
            return x + x

        x = tf.constant(1.0, name="x")
        tf.negative(x, name="negative")
        tf.add(twice(x), twice(x), name="sum")
    size = GraphSize(graph.as_graph_def())
    assert size.operations(["negative:0"]) == 2
    body = size.operations(["PartitionedCall:0"]) - 2
    assert body > 1
    assert size.operations(["sum:0"]) == 4 + 2 * body
    assert size.operations(["sum:0", "negative:0"]) == 5 + 2 * body


@pytest.mark.parametrize(("threads", "pools"), [(0, [-1, 0]), (-1, [0, 0]), (2, [0, 0])])
def test_unless_told_otherwise_a_small_graph_runs_in_the_thread_of_the_caller(
    unequal, monkeypatch, threads, pools
):
    model = LoadedModel(unequal, inter_op_parallelism=threads)
    asked = []
    make = model._session._make_callable_from_options

    def made(options):
        asked.append(options.run_options.inter_op_thread_pool)
        return make(options)

    monkeypatch.setattr(model._session, "_make_callable_from_options", made)
    assert model.predict("small", {"x": 1.0})["y"] == 2.0
    assert model.predict("large", {"x": 1.0})["y"] == 501.0
    assert asked == pools
    model.close()
