"""The portable SavedModel: what it is made of, and that it needs nothing else."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from trainer.config import PortableConfig
from trainer.rebuild import reindex
from trainer.version import Version

NONE = np.zeros((1, 0), object)

# TensorFlow's operations and TF-Text's, as a process that never heard of ScaNN has them.
REGISTERED = """
import json
import tensorflow, tensorflow_text
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session
operations = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
print(json.dumps([operation.name for operation in operations.op]))
"""

RECOMMEND = """
import json, sys
import tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load({folder!r})
answer = loaded.signatures["serving_default"](
    user_id=tf.constant([""]), history=tf.constant([["i1", "i3"]]), exclude=tf.constant([["i5"]])
)
assert not [name for name in sys.modules if name.split(".")[0] in ("scann", "trainer", "preprocessing")]
print(json.dumps([item.decode() for item in answer["item_id"].numpy()[0]]))
"""


def _run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/"
    )
    return json.loads(done.stdout)


def _operations(folder):
    """Every operation of a SavedModel's graphs, those inside its functions included."""
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    used = set()
    for graph in (meta_graph.graph_def for meta_graph in model.meta_graphs):
        functions = {function.signature.name for function in graph.library.function}
        used |= {node.op for node in graph.node} - functions
        used |= {node.op for function in graph.library.function for node in function.node_def} - functions
    return used


@pytest.fixture(scope="module")
def registered():
    return set(_run(REGISTERED))


def test_the_graph_holds_operations_of_tensorflow_and_tf_text_alone(portable_folder, registered):
    assert _operations(portable_folder) - registered == set()


def test_the_check_would_find_scann(model_folder, registered):
    assert {name.split(">")[0] for name in _operations(model_folder) - registered} == {"Scann"}


def test_it_answers_in_a_process_without_scann(portable_folder, portable_signatures):
    shown = _run(RECOMMEND.format(folder=str(portable_folder)))
    answer = portable_signatures("serving_default", user_id=[""], history=[["i1", "i3"]], exclude=[["i5"]])
    assert shown == [item.decode() for item in answer["item_id"][0]]


def test_reading_every_leaf_it_answers_as_scann_does(
    tmp_path, model_folder, signatures, load, config, progress
):
    sizes = PortableConfig(brute_force_below=5, leaves=6, leaves_to_search=6)
    export = config.export.model_copy(update={"index": "portable", "portable": sizes})
    portable = load(reindex(Version.read(model_folder), export, tmp_path, progress))
    asked = {"user_id": ["u3", ""], "history": [["", ""], ["i1", "i3"]], "exclude": [["i5"], [""]]}
    for signature in ("serving_default", "retrieve"):
        one, other = signatures(signature, **asked), portable(signature, **asked)
        np.testing.assert_array_equal(one["item_id"], other["item_id"])
        np.testing.assert_allclose(one["score"], other["score"], atol=1e-5)
