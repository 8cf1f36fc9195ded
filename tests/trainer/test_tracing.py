import pytest
import tensorflow as tf

from trainer.tracing import as_written, graph


def branching(value: tf.Tensor) -> tf.Tensor:
    return value if value > 0 else -value


def test_what_autograph_would_rewrite_stays_as_it_is():
    """In the function and in all that it calls."""
    assert tf.function(branching)(tf.constant(-2)) == 2
    for function in (branching, lambda value: branching(value)):
        with pytest.raises(TypeError):
            graph(function)(tf.constant(-2))
    with pytest.raises(TypeError):
        tf.data.Dataset.range(3).apply(as_written(lambda numbers: numbers.map(branching)))


def test_it_is_traced_anew_for_other_shapes_no_more_than_twice():
    traced = []

    @graph
    def double(values: tf.Tensor) -> tf.Tensor:
        traced.append(values.shape)
        return 2 * values

    for size in range(1, 6):
        assert len(double(tf.zeros([size]))) == size
    assert len(traced) == 2


def test_a_signature_is_kept():
    add = graph(lambda one, other: one + other, [tf.TensorSpec([None]), tf.TensorSpec([])])
    assert add(tf.constant([1.0, 2.0]), tf.constant(1.0)).numpy().tolist() == [2.0, 3.0]
    with pytest.raises(TypeError):
        add(tf.constant([1.0]), tf.constant([1.0]))
