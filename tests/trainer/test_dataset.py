import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.schema import RESERVED
from preprocessing.schema.serialized import serialize
from trainer.dataset import history_batch, read_cuts, read_entities


def test_entity_tables_are_ordered_by_index(examples, schema):
    items = read_entities(examples, schema, "items")
    assert list(items.ids[:RESERVED]) == ["", ""]
    assert sorted(items.ids[RESERVED:]) == sorted(f"i{number}" for number in range(42))
    assert (np.diff(items.counts[RESERVED:]) <= 0).all()
    assert (items.counts[RESERVED : schema.items.first_unseen] > 0).all()
    assert not items.counts[schema.items.first_unseen :].any()
    lengths = dict(zip(items.ids, items.features["length"][:, 0], strict=True))
    assert lengths["i5"] == 85.0 and np.isnan(lengths["i7"])
    users = read_entities(examples, schema, "users")
    ages = dict(zip(users.ids, users.features["age"][:, 0], strict=True))
    assert ages["u3"] == 23.0
    histories = dict(zip(users.ids, users.history, strict=True))
    test = {users.ids[cut.user]: cut for cut in read_cuts(examples, schema, "test")}
    np.testing.assert_array_equal(histories["u3"], [*test["u3"].history, *test["u3"].items])


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=5), st.integers(1, 6))
def test_history_batch_keeps_the_newest_known_items(rows, length):
    batch = history_batch([np.array(row, np.int64) for row in rows], length)
    assert batch.shape == (len(rows), length)
    for row, result in zip(rows, batch, strict=True):
        newest = [item for item in row if item >= RESERVED][-length:]
        assert list(result) == newest + [0] * (length - len(newest))


def test_a_cut_asks_for_each_new_item_once(tmp_path, schema):
    write = serialize(
        {
            "user": [2],
            "history": [4, 5],
            "item": [5, 7, 8, 7],
            "label": [1.0, 2.0, 3.0, 4.0],
            "time": [1, 2, 3, 4],
        }
    )
    with tf.io.TFRecordWriter(str(tmp_path / "test.tfrecord")) as writer:
        writer.write(write)
    only = schema.model_copy(update={"files": {**schema.files, "test": ("test.tfrecord",)}})
    (cut,) = read_cuts(tmp_path, only, "test")
    assert list(cut.items) == [7, 8] and list(cut.labels) == [4.0, 3.0]
    assert cut.repeats == 2
