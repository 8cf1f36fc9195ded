"""Models of every type that JSON has values for, and a REST server of them in this process."""

import json
from pathlib import Path

import pytest
import requests
import tensorflow as tf

from serving.models.labels import Unavailable
from serving.models.manager import ModelManager, Watch
from serving.models.saved_model import LoadedModel
from serving.monitoring.events import Events
from serving.rest.server import RestServer
from serving.settings.model_configs import ModelConfig

METRICS = "/monitoring/prometheus/metrics"
DEADLINE = 60
ECHOED = {
    "bool": tf.bool,
    "float": tf.float32,
    "double": tf.float64,
    "int8": tf.int8,
    "uint8": tf.uint8,
    "int16": tf.int16,
    "int32": tf.int32,
    "uint32": tf.uint32,
    "int64": tf.int64,
    "uint64": tf.uint64,
    "string": tf.string,
    "half": tf.float16,
    "complex64": tf.complex64,
}


class Typed(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec(None, tf.string, name="text")])
    def to_bytes(self, text):
        return {"text": tf.identity(text), "raw_bytes": tf.identity(text)}

    @tf.function(
        input_signature=[
            tf.TensorSpec(None, tf.float32, name="a"),
            tf.TensorSpec(None, tf.string, name="b"),
            tf.TensorSpec(None, tf.int64, name="c"),
        ]
    )
    def three(self, a, b, c):
        return {"a": tf.identity(a), "b": tf.identity(b), "c": tf.identity(c)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def uneven(self, x):
        return {"first": x[:1], "total": x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def no_rows(self, x):
        return {"none": x[:0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def total(self, x):
        return {"total": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def divide(self, x):
        return {"quotient": x / tf.constant(0.0)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def to_number(self, text):
        return {"number": tf.strings.to_number(text)}

    @tf.function(input_signature=[])
    def no_inputs(self):
        return {"one": tf.constant([1])}


def _echo(dtype):
    spec = tf.TensorSpec(None, dtype, name="x")
    return tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[spec])


@pytest.fixture(scope="session")
def typed(tmp_path_factory) -> Path:
    path, module = tmp_path_factory.mktemp("typed"), Typed()
    signatures = {f"echo_{name}": _echo(dtype) for name, dtype in ECHOED.items()}
    signatures["serving_default"] = signatures["echo_float"]
    for name in ("to_bytes", "three", "uneven", "no_rows", "total", "divide", "to_number", "no_inputs"):
        signatures[name] = getattr(module, name)
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


@pytest.fixture(scope="session")
def examples_model(tmp_path_factory) -> Path:
    """A TF1 model like half_plus_two: it regresses and classifies Examples with a feature `x`."""
    path = tmp_path_factory.mktemp("examples") / "model"
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "name": tf.io.FixedLenFeature([1], tf.string, default_value="nobody"),
            "count": tf.io.VarLenFeature(tf.int64),
        }
        parsed = tf.io.parse_example(serialized, features)
        half = v1.get_variable("half", initializer=0.5, use_resource=False)
        y = tf.add(parsed["x"] * half, 2.0)
        counted = tf.cast(tf.sparse.reduce_sum(parsed["count"], 1, keepdims=True), tf.float32)
        classes = tf.concat([parsed["name"], tf.strings.as_string(y, precision=1)], 1)
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model
        signatures = {
            "serving_default": signature.regression_signature_def(serialized, y),
            "regress_x_to_y": signature.regression_signature_def(serialized, y),
            "regress_count": signature.regression_signature_def(serialized, counted),
            "classify_x_to_y": signature.classification_signature_def(
                serialized, classes, tf.concat([y, -y], 1)
            ),
            "classify_scores": signature.classification_signature_def(serialized, None, y),
        }
        builder = signature.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    return path


@pytest.fixture(scope="module")
def manage(publish, tmp_path_factory):
    """Makes managers of models, each with a version 7 labelled `stable`; they are unloaded in the end."""
    managers = []
    watch = Watch(poll_wait_s=0, unavailable_labels=Unavailable.UNUSED)

    def make(**models: Path) -> ModelManager:
        configs = []
        for name, model in models.items():
            base_path = tmp_path_factory.mktemp(name)
            publish(model, base_path, 7)
            configs.append(ModelConfig(name, str(base_path), labels={"stable": 7}))
        managers.append(ModelManager(configs, LoadedModel, watch, Events()))
        return managers[-1]

    yield make
    for manager in managers:
        manager.close()


@pytest.fixture(scope="module")
def serve_rest():
    """Starts REST servers of a manager; they stop when the module's tests are done."""
    servers = []

    def start(manager: ModelManager, **options) -> tuple[RestServer, str]:
        servers.append(RestServer(manager, **({"port": 0, "prometheus_path": METRICS} | options)))
        return servers[-1], f"http://localhost:{servers[-1].start()}"

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def manager(manage, typed, examples_model) -> ModelManager:
    made = manage(typed=typed, examples=examples_model)
    made.start()
    return made


@pytest.fixture(scope="module")
def url(serve_rest, manager) -> str:
    return serve_rest(manager)[1]


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def post(url, session):
    """Posts a document to a model's verb, or bytes as they are; gives the response."""

    def send(target: str, document, **kwargs) -> requests.Response:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return session.post(f"{url}/v1/models/{target}", body, timeout=DEADLINE, **kwargs)

    return send
