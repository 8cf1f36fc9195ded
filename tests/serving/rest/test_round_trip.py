"""Random tensors, in row and in columnar form, come back as gRPC answers them."""

import base64
import json
from concurrent import futures

import grpc
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.grpc_api.prediction_service import PredictionService

DEADLINE = 60
NUMBERS = ("bool", "float", "double", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")
SHAPES = npst.array_shapes(min_dims=1, max_dims=4, max_side=4)
FEWER = settings(max_examples=40)


@pytest.fixture(scope="module")
def stub(manager):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(manager), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
    server.stop(0)


def over_grpc(stub, signature, inputs) -> dict[str, np.ndarray]:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "typed", signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    outputs = stub.Predict(request, timeout=DEADLINE).outputs
    return {name: tf.make_ndarray(proto) for name, proto in outputs.items()}


def over_rest(post, signature, document) -> dict:
    response = post("typed:predict", {"signature_name": signature, **document})
    assert response.status_code == 200, response.text
    return json.loads(response.content)


@st.composite
def numbers(draw):
    name = draw(st.sampled_from(NUMBERS))
    array = draw(npst.arrays(tf.as_dtype(_TYPES.get(name, name)).as_numpy_dtype, SHAPES))
    if name == "float":  # JSON's text for the very largest ones would be beyond them
        array = np.where(np.isfinite(array) & (np.abs(array) > 3.4e38), np.float32(1), array)
    return name, array


_TYPES = {"float": "float32", "double": "float64"}


@given(numbers())
@FEWER
def test_numbers(post, stub, named):
    name, array = named
    wanted = over_grpc(stub, f"echo_{name}", {"x": array})["y"]
    rows = over_rest(post, f"echo_{name}", {"instances": array.tolist()})["predictions"]
    columns = over_rest(post, f"echo_{name}", {"inputs": {"x": array.tolist()}})["outputs"]
    for given_back in (rows, columns):
        np.testing.assert_array_equal(np.array(given_back, wanted.dtype), wanted)


@given(npst.arrays(object, SHAPES, elements=st.text(max_size=5), fill=st.nothing()))
@FEWER
def test_strings(post, stub, array):
    wanted = over_grpc(stub, "echo_string", {"x": array})["y"]
    for form, key in (("instances", "predictions"), ("inputs", "outputs")):
        given_back = over_rest(post, "echo_string", {form: array.tolist()})[key]
        encoded = np.vectorize(str.encode, otypes=[object])(np.array(given_back, object))
        np.testing.assert_array_equal(encoded, wanted)


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=5))
@FEWER
def test_bytes(post, stub, strings):
    wanted = over_grpc(stub, "to_bytes", {"text": strings})["raw_bytes"].tolist()
    objects = [{"b64": base64.b64encode(string).decode()} for string in strings]
    response = post("typed:predict", {"signature_name": "to_bytes", "inputs": objects})
    # The other output is the same as text, which may be no UTF-8; Latin-1 takes all bytes.
    answer = json.loads(response.content.decode("latin-1"))["outputs"]
    assert [base64.b64decode(each["b64"]) for each in answer["raw_bytes"]] == wanted
    assert [each.encode("latin-1") for each in answer["text"]] == wanted


@given(
    st.integers(1, 5).flatmap(
        lambda size: st.tuples(
            npst.arrays(
                np.float32, (size, 2), elements=st.floats(width=32, min_value=-(2.0**100), max_value=2.0**100)
            ),
            st.lists(st.text(max_size=3), min_size=size, max_size=size),
            npst.arrays(np.int64, (size, 2, 1)),
        )
    )
)
@FEWER
def test_several_inputs(post, stub, arrays):
    columns = dict(zip("abc", arrays, strict=True))
    wanted = over_grpc(stub, "three", columns)
    # An array of text would lose what ends with a zero.
    lists = {name: value if isinstance(value, list) else value.tolist() for name, value in columns.items()}
    rows = [dict(zip("abc", row, strict=True)) for row in zip(*lists.values(), strict=True)]
    by_rows = over_rest(post, "three", {"instances": rows})["predictions"]
    by_columns = over_rest(post, "three", {"inputs": lists})["outputs"]
    assert by_columns == {name: [row[name] for row in by_rows] for name in "abc"}
    np.testing.assert_array_equal(np.array(by_columns["a"], np.float32), wanted["a"])
    assert [text.encode() for text in by_columns["b"]] == wanted["b"].tolist()
    assert by_columns["c"] == wanted["c"].tolist()
