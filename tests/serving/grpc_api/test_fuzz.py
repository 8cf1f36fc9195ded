"""Whatever a request holds, the server answers a status that blames it, and lives on."""

import grpc
import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.client import Client

BLAMES_THE_REQUEST = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,  # MultiInference of a method that there is not
}
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


ANY_TYPE = st.integers(0, 30)
STRING = st.just(7)


@st.composite
def tensor_protos(draw, dtypes=ANY_TYPE):
    proto = tensor_pb2.TensorProto(dtype=draw(dtypes))
    for size in draw(st.lists(st.integers(-1, 4) | st.just(2**50), max_size=4)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.sampled_from([False] * 9 + [True]))
    proto.string_val.extend(draw(st.lists(st.binary(max_size=6), max_size=4)))
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=4)))
    proto.int_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4)))
    proto.tensor_content = draw(st.just(b"") | st.binary(max_size=16))
    return proto


@pytest.fixture(scope="module", params=["alone", "batched"])
def target(request, serve, tiny_tandem, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tiny_tandem, base_path, 1)
    options = {}
    if request.param == "batched":
        file = base_path / "batching.txt"
        file.write_text("max_batch_size { value: 8 } pad_variable_length_inputs: true")
        options = {"enable_batching": True, "batching_parameters_file": str(file)}
    return f"localhost:{serve(base_path, **options).port}"


@pytest.fixture(scope="module")
def channel(target):
    with grpc.insecure_channel(target) as channel:
        yield channel


@pytest.fixture(autouse=True)
def lives_on(target):
    yield
    with Client(target, timeout=60) as client:
        assert len(client.recommend("196")) == 4


def check(call, request):
    try:
        call(request, timeout=60)
    except grpc.RpcError as error:
        assert error.code() in BLAMES_THE_REQUEST, (error.code(), error.details())


@given(
    inputs=st.fixed_dictionaries(
        {name: tensor_protos(STRING) | tensor_protos() for name in ("user_id", "history", "exclude")}
    )
)
@SLOW
def test_any_tensors(channel, inputs):
    request = predict_pb2.PredictRequest(inputs=inputs)
    request.model_spec.name = "default"
    check(prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict, request)


@given(
    name=st.sampled_from(["default", ""]) | st.text(max_size=5),
    signature=st.sampled_from(["", "describe"]) | st.text(max_size=5),
    inputs=st.dictionaries(
        st.sampled_from(["item_id", ""]) | st.text(max_size=3), tensor_protos(), max_size=3
    ),
    outputs=st.lists(st.sampled_from(["title", ""]), max_size=3),
    version=st.none() | st.integers(-1, 2),
)
@SLOW
def test_any_request(channel, name, signature, inputs, outputs, version):
    request = predict_pb2.PredictRequest(inputs=inputs, output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    check(prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict, request)


METHODS = (
    *(
        f"PredictionService/{name}"
        for name in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
    ),
    "ModelService/GetModelStatus",
    "ModelService/HandleReloadConfigRequest",
)


@given(method=st.sampled_from(METHODS), message=st.binary(min_size=1, max_size=64))
@SLOW
def test_any_bytes(channel, method, message):
    call = channel.unary_unary(f"/tensorflow.serving.{method}")
    with pytest.raises(grpc.RpcError):
        call(message, timeout=60)


FEATURES = st.builds(tf.train.FloatList, value=st.lists(st.floats(width=32), max_size=2)).map(
    lambda floats: tf.train.Feature(float_list=floats)
) | st.builds(tf.train.BytesList, value=st.lists(st.binary(max_size=5), max_size=2)).map(
    lambda texts: tf.train.Feature(bytes_list=texts)
)
EXAMPLES = st.dictionaries(st.sampled_from(["x", "z", "a"]), FEATURES).map(
    lambda features: tf.train.Example(features=tf.train.Features(feature=features))
)
LISTS = st.lists(EXAMPLES, max_size=3)
INPUTS = (
    st.builds(input_pb2.Input)
    | st.builds(input_pb2.ExampleList, examples=LISTS).map(lambda each: input_pb2.Input(example_list=each))
    | st.builds(input_pb2.ExampleListWithContext, examples=LISTS, context=EXAMPLES).map(
        lambda each: input_pb2.Input(example_list_with_context=each)
    )
)
SIGNATURES = st.sampled_from(
    ["", "regress", "regress_more", "classify", "only_scores", "other_input", "wrong_rows", "nope"]
)
KINDS = st.sampled_from([f"tensorflow/serving/{kind}" for kind in ("regress", "classify", "predict", "")])


@pytest.fixture(scope="module")
def of_examples(serve, tf1_examples, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tf1_examples, base_path, 1)
    server = serve(base_path, model_name="examples", enable_batching=True)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


@given(request_input=INPUTS, signature=SIGNATURES)
@SLOW
def test_any_examples(of_examples, request_input, signature):
    spec = model_pb2.ModelSpec(name="examples", signature_name=signature)
    check(
        of_examples.Classify, classification_pb2.ClassificationRequest(model_spec=spec, input=request_input)
    )
    check(of_examples.Regress, regression_pb2.RegressionRequest(model_spec=spec, input=request_input))


@given(request_input=INPUTS, tasks=st.lists(st.tuples(SIGNATURES, KINDS), max_size=3))
@SLOW
def test_any_tasks(of_examples, request_input, tasks):
    request = inference_pb2.MultiInferenceRequest(input=request_input)
    for signature, kind in tasks:
        spec = model_pb2.ModelSpec(name="examples", signature_name=signature)
        request.tasks.add(model_spec=spec, method_name=kind)
    check(of_examples.MultiInference, request)
