"""Health and reflection, beside requests and while the server stops."""

import contextlib
import threading

import grpc
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving.grpc_api.conftest import predict

DEADLINE = 60
SERVING, NOT_SERVING = 1, 2


def test_health_of_the_server_and_of_each_service(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"):
        request = health_pb2.HealthCheckRequest(service=name)
        assert health.Check(request, timeout=DEADLINE, wait_for_ready=True).status == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=DEADLINE)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_health_says_when_the_server_drains(serve, gate, publish, tmp_path):
    publish(gate, tmp_path, 1)
    server = serve(tmp_path)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=DEADLINE, wait_for_ready=True
        )
        assert next(watch).status == SERVING
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["file"].CopyFrom(tf.make_tensor_proto(str(tmp_path / "open")))
        slow = stub.Predict.future(request, timeout=DEADLINE)
        stopping = threading.Thread(target=server.stop, args=(DEADLINE,))
        stopping.start()
        assert next(watch).status == NOT_SERVING
        watch.cancel()
        (tmp_path / "open").touch()
        with contextlib.suppress(grpc.RpcError):  # it may have come too late
            slow.result()
        stopping.join()


def reflect(channel, **request):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(**request)
    [response] = stub.ServerReflectionInfo(iter([request]), timeout=DEADLINE, wait_for_ready=True)
    return response


def test_reflection_lists_the_services(channel):
    listed = reflect(channel, list_services="").list_services_response.service
    assert {each.name for each in listed} == {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize(
    ("service", "methods"),
    [
        ("PredictionService", {"Classify", "Regress", "Predict", "MultiInference", "GetModelMetadata"}),
        ("ModelService", {"GetModelStatus", "HandleReloadConfigRequest"}),
    ],
)
def test_reflection_describes_methods_and_all_their_messages(channel, service, methods):
    found = reflect(channel, file_containing_symbol=f"tensorflow.serving.{service}")
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(each)
        for each in found.file_descriptor_response.file_descriptor_proto
    ]
    [described] = [each for file in files for each in file.service]
    assert {method.name for method in described.method} == methods
    for method in described.method:
        for message in (method.input_type, method.output_type):
            response = reflect(channel, file_containing_symbol=message.lstrip("."))
            assert not response.HasField("error_response"), message


@contextlib.contextmanager
def open_streams(channel, count):
    """Opens reflection streams, and one for health, that stay open until their callers end."""
    ended = threading.Event()

    def one_request_and_no_end():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        ended.wait()

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    streams = [stub.ServerReflectionInfo(one_request_and_no_end(), timeout=DEADLINE) for _ in range(count)]
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    try:
        for stream in (*streams, watch):
            next(stream)
        yield streams, watch
    finally:
        ended.set()
        for stream in (*streams, watch):
            stream.cancel()


def test_streams_that_stay_open_take_no_thread_from_requests(serve, base_path):
    with grpc.insecure_channel(f"localhost:{serve(base_path, grpc_max_threads=1).port}") as channel:
        with open_streams(channel, 20):
            assert predict(channel) == [2.5]
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE).status == SERVING
            assert reflect(channel, list_services="").list_services_response.service
        assert reflect(channel, list_services="").list_services_response.service


def test_a_stop_waits_for_no_stream_but_for_requests(serve, gate, publish, tmp_path, eventually):
    publish(gate, tmp_path, 1)
    server = serve(tmp_path)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel, open_streams(channel, 3) as opened:
        streams, watch = opened
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["file"].CopyFrom(tf.make_tensor_proto(str(tmp_path / "open")))
        slow = stub.Predict.future(request, timeout=DEADLINE)
        # One connection keeps order: when this one is answered, the slow one is there.
        assert reflect(channel, list_services="").list_services_response.service
        stopping = threading.Thread(target=server.stop, args=(10 * DEADLINE,))
        stopping.start()
        assert next(watch).status == NOT_SERVING
        assert next(watch, None) is None
        for stream in streams:
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code() == grpc.StatusCode.CANCELLED
        assert not slow.done()
        (tmp_path / "open").touch()
        assert slow.result().outputs["opened"].string_val
        stopping.join(DEADLINE)
        assert not stopping.is_alive()
