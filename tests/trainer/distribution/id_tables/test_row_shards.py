"""With one part alone; what two replicas make of them is tested in `tests/trainer/distribution`."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.distribution.cluster import Cluster
from trainer.distribution.id_tables.row_shards import RowShards, collected, copy_of

VALUES = np.arange(10, dtype=np.float32).reshape(5, 2)


@pytest.fixture
def cluster():
    return Cluster(tf.distribute.MirroredStrategy(["CPU:0"]))


@pytest.fixture
def table(cluster):
    with cluster.scope():
        return RowShards.of(VALUES, "table")


def test_outside_of_steps_it_is_the_whole_table(table, cluster):
    np.testing.assert_array_equal(table.numpy(), VALUES)
    assert table.shape == [5, 2] and table.trainable
    with cluster.scope():
        np.testing.assert_array_equal(tf.gather(table, [4, 0]), VALUES[[4, 0]])
        table.assign(VALUES + 1)
        np.testing.assert_array_equal(copy_of(table).numpy(), VALUES + 1)
        assert not copy_of(table).trainable
        with pytest.raises(ValueError, match=r"table:0 has the shape \(5, 2\), not \(4, 2\)"):
            table.assign(VALUES[:4])


def test_a_function_reads_what_was_collected_last(table, cluster):
    """It is traced once, and the table learns between one block and the next."""
    read = tf.function(lambda rows: tf.gather(table, rows))
    with cluster.scope():
        with collected([table], cluster):
            np.testing.assert_array_equal(read(tf.constant([3])), VALUES[[3]])
        table.assign(VALUES + 1)
        with collected([table], cluster), collected([table], cluster):
            np.testing.assert_array_equal(read(tf.constant([3])), VALUES[[3]] + 1)
        with pytest.raises(tf.errors.InvalidArgumentError, match="was not collected"):
            read(tf.constant([3]))


def test_a_checkpoint_holds_what_a_plain_variable_has(tmp_path, table, cluster):
    plain = tf.Variable(VALUES + 5)
    path = tf.train.Checkpoint(table=plain).write(str(tmp_path / "plain"))
    with cluster.scope():
        tf.train.Checkpoint(table=table).read(path).assert_consumed()
        np.testing.assert_array_equal(table.numpy(), VALUES + 5)
        table.assign(VALUES)
        path = tf.train.Checkpoint(table=table).write(str(tmp_path / "divided"))
    tf.train.Checkpoint(table=plain).read(path).assert_consumed()
    np.testing.assert_array_equal(plain.numpy(), VALUES)
