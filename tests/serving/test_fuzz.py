"""Whatever a request holds, the server answers a status that blames it, and lives on."""

import grpc
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.client import Client

BLAMES_THE_REQUEST = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.OUT_OF_RANGE,  # the signature without outputs that TF2 writes for its initialisation
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


@pytest.fixture(scope="module")
def target(serve, tiny_tandem, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tiny_tandem, base_path, 1)
    return f"localhost:{serve(base_path).port}"


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
    request.model_spec.name = "tandem"
    check(prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict, request)


@given(
    name=st.sampled_from(["tandem", ""]) | st.text(max_size=5),
    signature=st.sampled_from(["", "describe", "__saved_model_init_op"]) | st.text(max_size=5),
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


@given(message=st.binary(max_size=64))
@settings(max_examples=50, deadline=None)
def test_any_bytes(channel, message):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError):
        call(message, timeout=60)
