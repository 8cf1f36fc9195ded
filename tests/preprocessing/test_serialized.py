"""Records and their files are, byte for byte, what TensorFlow writes; none of it needs TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.schema.serialized import serialize
from preprocessing.write import write_shard

LISTS = {
    "int64_list": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5),
    "float_list": st.lists(st.floats(width=32, allow_nan=False), max_size=5),
    "bytes_list": st.lists(st.binary(max_size=9), max_size=5),
}
features = st.dictionaries(st.text(max_size=5), st.one_of(*LISTS.values()), max_size=6)


def of_tensorflow(named: dict[str, list[Any]]) -> bytes:
    example = tf.train.Example()
    for name, values in sorted(named.items()):
        kind = {int: "int64_list", float: "float_list", bytes: "bytes_list"}
        feature = example.features.feature[name]
        if values:
            getattr(feature, kind[type(values[0])]).value.extend(values)
    return example.SerializeToString(deterministic=True)


@given(features)
def test_examples_are_those_of_tensorflow(named: dict[str, list[Any]]) -> None:
    assert serialize(named) == of_tensorflow(named)


def test_shards_are_those_of_tensorflow(tmp_path: Path) -> None:
    records = [(3, 0, b""), (2, 7, b"a" * 300), (2, 1, bytes(range(256)))]
    assert write_shard(str(tmp_path), "found", records) == 3
    with tf.io.TFRecordWriter(str(tmp_path / "expected")) as writer:
        for _, _, record in sorted(records):
            writer.write(record)
    assert (tmp_path / "found").read_bytes() == (tmp_path / "expected").read_bytes()


def test_preprocessing_does_not_wait_for_tensorflow_or_transformers() -> None:
    code = (
        "import sys, preprocessing.pipeline, apache_beam.runners.worker.sdk_worker_main; "
        "print([name for name in ('tensorflow', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
