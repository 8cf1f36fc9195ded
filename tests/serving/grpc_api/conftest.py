"""A server of a small model, and what asks it."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

DEADLINE = 60


@pytest.fixture(scope="module")
def base_path(half_plus_two, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(half_plus_two, base_path, 1)
    return base_path


@pytest.fixture(scope="module")
def channel(serve, base_path):
    with grpc.insecure_channel(f"localhost:{serve(base_path).port}") as channel:
        yield channel


def predict(channel, wait_for_ready=True):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=DEADLINE, wait_for_ready=wait_for_ready)
    return list(response.outputs["y"].float_val)
