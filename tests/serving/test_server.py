"""TensorFlow Serving's protocol as a client of the official stubs sees it."""

import contextlib
import socket
import threading

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.errors import Code, ServingError

AVAILABLE, END = 30, 50
DEADLINE = 60


@pytest.fixture(scope="module")
def target(serve, half_plus_two, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(half_plus_two, base_path, 7)
    return f"localhost:{serve(base_path).port}"


@pytest.fixture(scope="module")
def channel(target):
    with grpc.insecure_channel(target) as channel:
        yield channel


@pytest.fixture(scope="module")
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def ask(request, *, name="default", version=None, **spec):
    request.model_spec.CopyFrom(model_pb2.ModelSpec(name=name, **spec))
    if version is not None:
        request.model_spec.version.value = version
    return request


def predict_request(inputs=None, outputs=(), **spec):
    request = ask(predict_pb2.PredictRequest(output_filter=outputs), **spec)
    for name, value in ({"x": [1.0, 2.0]} if inputs is None else inputs).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def status_of(call, request) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=DEADLINE)
    return caught.value.code(), caught.value.details()


@pytest.mark.parametrize("version", [None, 0, 7])
def test_predict_answers_in_typed_fields_and_says_which_model(predictions, version):
    response = predictions.Predict(predict_request(version=version), timeout=DEADLINE)
    output = response.outputs["y"]
    assert list(output.float_val) == [2.5, 3.0]
    assert not output.tensor_content
    assert output.dtype == tf.float32.as_datatype_enum
    assert [dim.size for dim in output.tensor_shape.dim] == [2]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("default", 7, "serving_default")


def test_predict_answers_a_named_signature_and_filters_outputs(predictions):
    request = predict_request(signature_name="two_outputs", outputs=["half"])
    response = predictions.Predict(request, timeout=DEADLINE)
    assert set(response.outputs) == {"half"}
    assert response.model_spec.signature_name == "two_outputs"


def test_predict_takes_messages_beyond_grpcs_usual_four_megabytes(target):
    big = np.ones(2_000_000, np.float32)
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(target, options=options) as wide:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(wide)
        response = stub.Predict(predict_request({"x": big}), timeout=DEADLINE)
    assert len(response.outputs["y"].float_val) == len(big)


INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_pb2.PredictRequest(), INVALID, "Missing ModelSpec"),
        (predict_request(name=""), INVALID, "ModelSpec has no name specified."),
        (predict_request(name="x"), NOT_FOUND, "Servable not found for request: Latest(x)"),
        (predict_request(version=3), NOT_FOUND, "Servable not found for request: Specific(default, 3)"),
        (predict_request(version_label="stable"), INVALID, "Unrecognized servable version label: stable"),
        (
            predict_request(signature_name="nope"),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "nope" not found.',
        ),
        (
            predict_request({}),
            INVALID,
            "input size does not match signature: 0!=1 len({}) != len({x}). "
            "Sent extra: {}. Missing but required: {x}.",
        ),
        (predict_request({"x": "a"}), INVALID, "Expects arg[0] to be float but string is provided"),
    ],
)
def test_predict_refuses_in_tensorflow_servings_words(predictions, request_, code, message):
    assert status_of(predictions.Predict, request_) == (code, message)


def test_method_names_are_checked_where_that_is_asked_for(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    server = serve(tmp_path, enable_signature_method_name_check=True)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert status_of(stub.Predict, predict_request(signature_name="__saved_model_init_op")) == (
            grpc.StatusCode.INTERNAL,
            "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
            "tensorflow/serving/classify, tensorflow/serving/regress}. Was: ",
        )


def test_a_tensor_that_is_none_is_refused(predictions):
    request = predict_request()
    request.inputs["x"].tensor_content = b"12345"
    assert status_of(predictions.Predict, request) == (INVALID, "tensor parsing error: x")


def test_an_error_in_the_graph_is_a_short_status(predictions):
    request = predict_request({"x": -np.ones(5000, np.float32)}, signature_name="positive")
    code, message = status_of(predictions.Predict, request)
    assert code == INVALID
    assert "x must be positive" in message
    assert len(message) <= 1024 + len("...TRUNCATED")
    assert "Traceback" not in message


def test_a_long_message_is_cut(predictions):
    code, message = status_of(predictions.Predict, predict_request(signature_name="x" * 5000))
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert message.startswith('Serving signature key "xxx')
    assert message.endswith("...TRUNCATED")
    assert len(message) == 1024 + len("...TRUNCATED")


def metadata_request(*fields, **spec):
    return ask(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields), **spec)


def test_metadata_gives_the_signatures(predictions):
    response = predictions.GetModelMetadata(metadata_request("signature_def"), timeout=DEADLINE)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["two_inputs"].inputs["b"].dtype == tf.string.as_datatype_enum
    assert (response.model_spec.name, response.model_spec.version.value) == ("default", 7)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (get_model_metadata_pb2.GetModelMetadataRequest(), INVALID, "Missing ModelSpec"),
        (
            metadata_request(),
            INVALID,
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (metadata_request("weights"), INVALID, "Metadata field %s is not supportedweights"),
        (
            metadata_request("signature_def", name="x"),
            NOT_FOUND,
            "Servable not found for request: Latest(x)",
        ),
    ],
)
def test_metadata_refuses_in_tensorflow_servings_words(predictions, request_, code, message):
    assert status_of(predictions.GetModelMetadata, request_) == (code, message)


@pytest.mark.parametrize("version", [None, 0, 7])
def test_status_tells_the_available_version(models, version):
    request = ask(get_model_status_pb2.GetModelStatusRequest(), version=version)
    [status] = models.GetModelStatus(request, timeout=DEADLINE).model_version_status
    assert (status.version, status.state, status.status.error_code) == (7, AVAILABLE, 0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "x"}, "Could not find any versions of model x"),
        ({"version": 3}, "Could not find version 3 of model default"),
        ({"name": "x", "version": 0}, "Could not find version 0 of model x"),
    ],
)
def test_status_of_what_is_not_there(models, spec, message):
    request = ask(get_model_status_pb2.GetModelStatusRequest(), **spec)
    assert status_of(models.GetModelStatus, request) == (NOT_FOUND, message)


@pytest.mark.parametrize("batching", [False, True])
def test_no_request_fails_while_versions_are_swapped(
    serve, half_plus_two, publish, break_version, eventually, tmp_path, batching
):
    publish(half_plus_two, tmp_path, 1)
    server = serve(tmp_path, enable_batching=batching, rest_api_port=unused_port())
    target = f"localhost:{server.port}"
    seen, failures, done = set(), [], threading.Event()

    def call_grpc():
        with grpc.insecure_channel(target) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not done.is_set():
                response = stub.Predict(predict_request(), timeout=DEADLINE)
                assert list(response.outputs["y"].float_val) == [2.5, 3.0]
                seen.add(response.model_spec.version.value)

    def call_rest():
        url = f"http://localhost:{server.rest_port}/v1/models/default:predict"
        with requests.Session() as session:
            while not done.is_set():
                answer = session.post(url, json={"instances": [1.0, 2.0]}, timeout=DEADLINE)
                assert answer.json() == {"predictions": [2.5, 3.0]}

    def until_done(call):
        try:
            call()
        except Exception as error:
            failures.append(error)

    calls = (call_grpc, call_grpc, call_grpc, call_rest)
    callers = [threading.Thread(target=until_done, args=(call,)) for call in calls]
    for caller in callers:
        caller.start()
    with grpc.insecure_channel(target) as channel:
        status = ask(get_model_status_pb2.GetModelStatusRequest())
        stub = model_service_pb2_grpc.ModelServiceStub(channel)

        def states():
            response = stub.GetModelStatus(status, timeout=DEADLINE)
            return {each.version: each.state for each in response.model_version_status}

        for version in range(2, 12):
            publish(half_plus_two, tmp_path, version)
            eventually(lambda version=version: version in seen or failures, f"version {version} answers")
        break_version(tmp_path, 12)
        eventually(lambda: states().get(12) == END, "version 12 is reported")
        done.set()
        for caller in callers:
            caller.join()
        assert not failures
        assert states() == {12: END, 11: AVAILABLE} | dict.fromkeys(range(1, 11), END)
        [broken] = [each for each in stub.GetModelStatus(status).model_version_status if each.version == 12]
        assert broken.status.error_code != 0
        assert "saved_model" in broken.status.error_message


def test_a_request_that_outlasts_the_grace_is_cancelled(serve, gate, publish, tmp_path):
    publish(gate, tmp_path, 1)
    server = serve(tmp_path)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_request({"file": str(tmp_path / "never")})
        call = stub.Predict.future(request, timeout=DEADLINE)
        # One connection keeps order: when the second is answered, the first is being worked on.
        (tmp_path / "open").touch()
        stub.Predict(predict_request({"file": str(tmp_path / "open")}), timeout=DEADLINE)
        server.stop(grace=0)
        assert call.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_a_broken_version_at_the_start_is_told(serve, break_version, tmp_path):
    break_version(tmp_path, 1)
    with pytest.raises(ServingError, match=r"1 servable\(s\) did not become available: .*version: 1"):
        serve(tmp_path)


def test_a_negative_poll_wait_loads_nothing(serve, tmp_path):
    server = serve(tmp_path, file_system_poll_wait_seconds=-1)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert status_of(stub.Predict, predict_request())[0] == NOT_FOUND


def test_a_poll_wait_of_zero_looks_once(serve, half_plus_two, publish, eventually, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    servers = [serve(tmp_path, file_system_poll_wait_seconds=wait) for wait in (0, 0.05)]
    with contextlib.ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(f"localhost:{each.port}")) for each in servers]
        looks_once, polls = map(prediction_service_pb2_grpc.PredictionServiceStub, channels)

        def version(stub):
            return stub.Predict(predict_request(), timeout=DEADLINE).model_spec.version.value

        publish(half_plus_two, tmp_path, 2)
        eventually(lambda: version(polls) == 2, "the server that polls takes the new version")
        assert version(looks_once) == 1


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def test_rest_and_metrics_stand_beside_grpc(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    config = tmp_path / "monitoring.txt"
    config.write_text('prometheus_config { enable: true path: "/metrics" }')
    server = serve(tmp_path, rest_api_port=unused_port(), monitoring_config_file=str(config))
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.Predict(predict_request(), timeout=DEADLINE, wait_for_ready=True)
    url = f"http://localhost:{server.rest_port}"
    answer = requests.post(f"{url}/v1/models/default:predict", json={"instances": [1.0]}, timeout=DEADLINE)
    assert answer.json() == {"predictions": [2.5]}
    page = requests.get(f"{url}/metrics", timeout=DEADLINE).text
    assert ':tensorflow:serving:request_count{model_name="default",status="OK"} 2' in page
    counted = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith(":tensorflow:core:"))
    assert counted[":tensorflow:core:graph_runs{}"] == "2"
    assert counted[":tensorflow:core:graph_build_calls{}"] == "1"
    assert int(counted[":tensorflow:core:graph_run_time_usecs{}"]) > 0
    assert int(counted[":tensorflow:core:graph_build_time_usecs{}"]) > 0


def test_web_pages_of_other_origins_may_call_where_that_is_allowed(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    for allowed, status in ((True, 200), (False, 400)):
        server = serve(tmp_path, rest_api_port=unused_port(), rest_api_enable_cors_support=allowed)
        url = f"http://localhost:{server.rest_port}/v1/models/default"
        asked = requests.options(f"{url}:predict", timeout=DEADLINE)
        assert asked.status_code == status
        for answer in (asked, requests.get(url, timeout=DEADLINE)):
            assert (answer.headers.get("Access-Control-Allow-Origin") == "*") == allowed


@pytest.mark.parametrize(
    "file", ["model_config_file", "monitoring_config_file", "ssl_config_file", "batching_parameters_file"]
)
def test_a_config_file_that_cannot_be_read_refuses_the_start(serve, tmp_path, file):
    (tmp_path / "config").write_text("nonsense: 1")
    for name, code, message in (
        ("config", Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{tmp_path}/config'"),
        ("nope", Code.NOT_FOUND, f"{tmp_path}/nope"),
    ):
        options = {file: str(tmp_path / name), "enable_batching": True, "rest_api_port": unused_port()}
        with pytest.raises(ServingError, match=message) as caught:
            serve(tmp_path, **options)
        assert caught.value.code == code
