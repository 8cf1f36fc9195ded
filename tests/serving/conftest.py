"""Real SavedModels, built once, and servers of them."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from serving.server import Server
from serving.settings.options import ServerOptions

FLOATS = tf.TensorSpec([None], tf.float32)


class HalfPlusTwo(tf.Module):
    def __init__(self):
        super().__init__()
        self.half = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def half_plus_two(self, x):
        return {"y": x * self.half + 2.0}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def two_outputs(self, x):
        return {"half": x * self.half, "same": x}

    @tf.function(
        input_signature=[tf.TensorSpec(None, tf.float32, name="a"), tf.TensorSpec(None, tf.string, name="b")]
    )
    def two_inputs(self, a, b):
        return {"a": a + 0.0, "b": tf.identity(b)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def scalars(self, x):
        return {"number": x + 1.0, "text": tf.strings.as_string(x)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def positive(self, x):
        with tf.control_dependencies([tf.debugging.assert_positive(x, message="x must be positive")]):
            return {"y": tf.identity(x)}


class Gate(tf.Module):
    """Holds a request until a file is there: a slow request without a clock."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="file")])
    def wait(self, file):
        tries = tf.while_loop(
            lambda _: tf.size(tf.io.matching_files(file)) == 0, lambda tries: (tries + 1,), (tf.constant(0),)
        )
        return {"opened": tf.identity(file), "tries": tries[0]}


class TinyTandem(tf.Module):
    """Tandem's contract over five films: popularity decides, the last item of the history is the reason."""

    ITEMS = ("50", "181", "258", "100", "286")
    TITLES = (
        "Star Wars (1977)",
        "Return of the Jedi (1983)",
        "Contact (1997)",
        "Fargo (1996)",
        "[REC] Amélie",
    )

    def __init__(self):
        super().__init__()
        self.items = tf.constant(self.ITEMS)
        self.index = _table(self.ITEMS, list(range(len(self.ITEMS))), -1)
        self.titles = _table(self.ITEMS, self.TITLES, "")
        self.stored = _table(["196"], ["258"], "")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="user_id"),
            tf.TensorSpec([None, None], tf.string, name="history"),
            tf.TensorSpec([None, None], tf.string, name="exclude"),
        ]
    )
    def recommend(self, user_id, history, exclude):
        stored = self.stored.lookup(user_id)[:, None]
        given = tf.reduce_any(self.index.lookup(history) >= 0, axis=1, keepdims=True)
        history = tf.concat([tf.where(given, "", stored), history], axis=1)
        gone = tf.one_hot(self.index.lookup(tf.concat([history, exclude], axis=1)), len(self.ITEMS))
        popularity = tf.range(len(self.ITEMS), 0, -1, dtype=tf.float32)
        score = tf.where(tf.reduce_sum(gone, axis=1) > 0, -1.0, popularity[None, :])
        score, chosen = tf.math.top_k(score, k=len(self.ITEMS))
        item_id = tf.where(score > 0, tf.gather(self.items, chosen), "")
        last = tf.reduce_max(self.index.lookup(history), axis=1, keepdims=True)
        reason = tf.where(last >= 0, tf.gather(self.items, tf.maximum(last, 0)), "")
        return {"item_id": item_id, "score": score, "because": tf.where(item_id == "", "", reason)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="item_id")])
    def describe(self, item_id):
        return {"title": self.titles.lookup(item_id)}


def _table(keys, values, default):
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(list(keys), list(values)), default)


@pytest.fixture(scope="session")
def half_plus_two(tmp_path_factory) -> Path:
    path, module = tmp_path_factory.mktemp("half_plus_two"), HalfPlusTwo()
    signatures = {"serving_default": module.half_plus_two}
    for name in ("two_outputs", "two_inputs", "scalars", "positive"):
        signatures[name] = getattr(module, name)
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


@pytest.fixture(scope="session")
def tf1_half_plus_three(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tf1") / "model"
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        half = v1.get_variable("half", initializer=0.5, use_resource=False)
        y = tf.add(x * half, 3.0)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return path


@pytest.fixture(scope="session")
def tf1_examples(tmp_path_factory) -> Path:
    """A TensorFlow 1 model of Examples with a feature `x`: it gives x / 2 + 2 by every method."""
    path = tmp_path_factory.mktemp("tf1_examples") / "model"
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "z": tf.io.FixedLenFeature([1], tf.float32, 0.0),
        }
        parsed = tf.io.parse_example(serialized, features)
        half = v1.get_variable("half", initializer=0.5, use_resource=False)
        y = tf.identity(parsed["x"] * half + 2.0 + parsed["z"], name="y")
        both = tf.concat([y, y + 1.0], axis=1)
        classes = tf.tile(tf.constant([["low", "high"]]), [tf.shape(y)[0], 1])
        x = v1.placeholder(tf.float32, [None], name="x")
        session.run(v1.global_variables_initializer())
        v1_signatures = v1.saved_model.signature_def_utils
        signatures = {
            "serving_default": v1_signatures.predict_signature_def({"x": x}, {"y": x * half + 2.0}),
            "regress": v1_signatures.regression_signature_def(serialized, y),
            "regress_more": v1_signatures.regression_signature_def(serialized, y + 1.0),
            "classify": v1_signatures.classification_signature_def(serialized, classes, both),
            "only_scores": v1_signatures.classification_signature_def(serialized, None, y),
            "only_classes": v1_signatures.classification_signature_def(serialized, classes, None),
            "other_input": v1_signatures.regression_signature_def(
                v1.placeholder(tf.string, [None], name="other"), y
            ),
        }
        # What a graph may get wrong: the library makes no such signatures, but others do.
        wrong = {"wrong_rows": both[:1, 0], "wrong_shape": both, "wrong_type": tf.cast(y, tf.float64)}
        for name, output in wrong.items():
            signature = v1_signatures.build_signature_def(
                {"inputs": v1.saved_model.build_tensor_info(serialized)},
                {"outputs": v1.saved_model.build_tensor_info(output)},
                "tensorflow/serving/regress",
            )
            signatures[name] = signature
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    return path


@pytest.fixture(scope="session")
def gate(tmp_path_factory) -> Path:
    path, module = tmp_path_factory.mktemp("gate"), Gate()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.wait})
    return path


@pytest.fixture(scope="session")
def tiny_tandem(tmp_path_factory) -> Path:
    path, module = tmp_path_factory.mktemp("tiny_tandem"), TinyTandem()
    signatures = {"serving_default": module.recommend, "describe": module.describe}
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


@pytest.fixture(scope="session")
def publish():
    """Puts a version under a base path as an exporter should: whole, by one rename."""

    def put(model: Path, base_path: Path, version: int) -> None:
        temporary = base_path / f".tmp-{version}"
        shutil.copytree(model, temporary)
        temporary.rename(base_path / str(version))

    return put


@pytest.fixture(scope="session")
def break_version():
    """Puts a version under a base path whose graph is not one."""

    def put(base_path: Path, version: int) -> None:
        folder = base_path / str(version)
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"\x00 no graph \xff")

    return put


@pytest.fixture(scope="session")
def eventually():
    """Waits for a condition, with a generous deadline that only a fault reaches."""

    def wait(condition, what: str, deadline_s: float = 60.0) -> None:
        end = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < end, f"never came true: {what}"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="module")
def serve():
    """Starts servers in this process; they stop when the module's tests are done."""
    servers = []

    def start(base_path: Path | None = None, **options) -> Server:
        options = {"port": 0, "file_system_poll_wait_seconds": 0.05} | options
        server = Server(ServerOptions(str(base_path or ""), **options))
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop(grace=0)


@pytest.fixture
def tandem_serve(tmp_path):
    """Starts `tandem serve` as users do, in a process of its own; gives it and its port."""
    processes = []

    def start(*arguments: str) -> tuple[subprocess.Popen, int]:
        command = [sys.executable, "-c", "from pipelines.cli import main; main()", "serve", "--port=0"]
        log = (tmp_path / f"serve-{len(processes)}.log").open("w+")
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
        processes.append((process, log))
        line = process.stdout.readline()
        ready = re.fullmatch(r"Running gRPC ModelServer at 0\.0\.0\.0:(\d+) \.\.\.\n", line)
        assert ready, f"said {line!r} and logged {Path(log.name).read_text()}"
        return process, int(ready[1])

    yield start
    for process, log in processes:
        process.kill()
        process.wait()
        process.stdout.close()
        log.close()
