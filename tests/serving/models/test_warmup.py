"""Requests that a version brings along are replayed before it serves."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving.errors import Code, ServingError
from serving.models import warmup
from serving.models.saved_model import LoadedModel
from serving.monitoring.events import Events, WarmupDone

FILE = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture(scope="module")
def model(tf1_examples):
    model = LoadedModel(tf1_examples)
    yield model
    model.close()


@pytest.fixture
def write(tmp_path):
    def write_records(*records: bytes) -> None:
        path = tmp_path / FILE
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)

    return write_records


@pytest.fixture
def events():
    told = []
    events = Events()
    events.subscribe(told.append)
    events.told = told
    return events


def predict_log(value=1.0) -> bytes:
    request = predict_pb2.PredictRequest()
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([value]))
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    return log.SerializeToString()


def example_log(kind, signature) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, kind).request
    request.model_spec.signature_name = signature
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
    request.input.example_list.examples.add().features.feature["x"].CopyFrom(feature)
    return log.SerializeToString()


def multi_inference_log() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.ParseFromString(b"")
    request = log.multi_inference_log.request
    task = request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "m", "regress"
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
    request.input.example_list.examples.add().features.feature["x"].CopyFrom(feature)
    return log.SerializeToString()


def test_requests_of_every_kind_are_replayed(model, write, tmp_path, events):
    write(
        predict_log(),
        example_log("classify_log", "classify"),
        example_log("regress_log", "regress"),
        multi_inference_log(),
    )
    before = set(model.calls)
    warmup.replay(model, str(tmp_path), 2, events)
    assert len(set(model.calls) - before) == 3  # MultiInference asks what Regress asked
    [done] = events.told
    assert isinstance(done, WarmupDone)
    assert (done.path, done.code) == (str(tmp_path), Code.OK)


def test_no_requests_are_no_error(model, tmp_path, events):
    warmup.replay(model, str(tmp_path), 1, events)
    assert not events.told


def session_run_log() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.SetInParent()
    return log.SerializeToString()


@pytest.mark.parametrize(
    ("records", "code", "message"),
    [
        ([b"\xff\xff"], Code.INVALID_ARGUMENT, "Failed to parse warmup record: "),
        ([session_run_log()], Code.UNIMPLEMENTED, "Unsupported log_type for warmup: "),
        ([example_log("regress_log", "nope")], Code.INVALID_ARGUMENT, "No signature was found with the name"),
        ([predict_log()] * 1001, Code.INVALID_ARGUMENT, "exceeds the maximum (1000) at "),
    ],
)
def test_a_request_that_fails_fails_the_version(model, write, tmp_path, events, records, code, message):
    write(*records)
    with pytest.raises(ServingError) as caught:
        warmup.replay(model, str(tmp_path), 1, events)
    assert caught.value.code == code
    assert message in str(caught.value)
    assert [done.code for done in events.told] == [code]


def test_a_file_of_something_else_is_told(model, tmp_path, events):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / FILE).write_bytes(b"these are no TFRecords at all")
    with pytest.raises(ServingError, match="Please verify your warmup data is in TFRecord format") as caught:
        warmup.replay(model, str(tmp_path), 1, events)
    assert caught.value.code == Code.DATA_LOSS


def test_a_server_refuses_a_version_whose_requests_fail_unless_warmup_is_off(
    serve, half_plus_two, publish, tmp_path
):
    publish(half_plus_two, tmp_path, 1)
    path = tmp_path / "1" / FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(predict_log("text"))
    with pytest.raises(ServingError, match=r"Expects arg\[0\] to be float but string is provided"):
        serve(tmp_path)
    serve(tmp_path, enable_model_warmup=False)
