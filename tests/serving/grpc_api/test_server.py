"""How clients reach the server: TLS, UNIX sockets, health, reflection, limits."""

import contextlib
import datetime
import threading

import grpc
import pytest
import tensorflow as tf
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.errors import Code, ServingError

DEADLINE = 60
SERVING, NOT_SERVING = 1, 2


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


def pem(key_or_certificate) -> bytes:
    if isinstance(key_or_certificate, x509.Certificate):
        return key_or_certificate.public_bytes(serialization.Encoding.PEM)
    return key_or_certificate.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Authority:
    """Signs certificates.

    Attributes:
        certificate: its own, in PEM.
    """

    def __init__(self):
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key).add_extension(constraint, critical=True)
        self.certificate = pem(builder.sign(self._key, hashes.SHA256()))

    def sign(self) -> tuple[bytes, bytes]:
        """Makes a key and its certificate for localhost, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = self._builder(name, key).add_extension(names, critical=False)
        return pem(key), pem(builder.sign(self._key, hashes.SHA256()))

    def _builder(self, subject, key):
        now = datetime.datetime.now(datetime.timezone.utc)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(days=1),
            not_valid_after=now + datetime.timedelta(days=1),
        )


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def ssl_config(authority, tmp_path):
    """Writes an SSLConfig of the authority's, in text format."""

    def write(**more) -> str:
        key, certificate = authority.sign()
        values = {"server_key": key.decode(), "server_cert": certificate.decode()} | more
        lines = [
            f"{name}: {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for name, value in values.items()
        ]
        (tmp_path / "ssl.txt").write_text("\n".join(lines))
        return str(tmp_path / "ssl.txt")

    return write


def refused(channel) -> bool:
    """Whether a channel finds no connection; it is closed."""
    with channel, pytest.raises(grpc.RpcError) as caught:
        predict(channel, wait_for_ready=False)
    return caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_tls_needs_the_authority_that_signed_the_servers_certificate(serve, base_path, ssl_config, authority):
    target = f"localhost:{serve(base_path, ssl_config_file=ssl_config()).port}"
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(authority.certificate)) as channel:
        assert predict(channel) == [2.5]
    credentials = grpc.ssl_channel_credentials(Authority().certificate)
    assert refused(grpc.secure_channel(target, credentials))
    assert refused(grpc.insecure_channel(target))


def test_client_certificates_are_verified(serve, base_path, ssl_config, authority):
    ca = authority.certificate
    config = ssl_config(custom_ca=ca.decode(), client_verify=True)
    target = f"localhost:{serve(base_path, ssl_config_file=config).port}"
    key, certificate = authority.sign()
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, key, certificate)) as channel:
        assert predict(channel) == [2.5]
    assert refused(grpc.secure_channel(target, grpc.ssl_channel_credentials(ca)))
    forged = Authority().sign()
    assert refused(grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, *forged)))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"server_key": ""}, "server_key and server_cert must be there"),
        ({"client_verify": True}, "client_verify needs custom_ca"),
    ],
)
def test_certificates_that_cannot_work_are_told(serve, base_path, ssl_config, more, message):
    with pytest.raises(ServingError, match=message):
        serve(base_path, ssl_config_file=ssl_config(**more))


def test_a_key_that_is_none_is_told(serve, base_path, ssl_config):
    with pytest.raises(ServingError, match="cannot listen at"):
        serve(base_path, ssl_config_file=ssl_config(server_key="no key"))


def test_a_unix_socket_answers_beside_the_port(serve, base_path, tmp_path):
    server = serve(base_path, port=0, grpc_socket_path=str(tmp_path / "socket"))
    assert server.port == 0  # as in TensorFlow Serving, where port 0 is no port
    with grpc.insecure_channel(f"unix:{tmp_path}/socket") as channel:
        assert predict(channel) == [2.5]


def test_a_socket_that_cannot_be_made_is_told(serve, base_path, tmp_path):
    with pytest.raises(ServingError, match="choose another with --grpc_socket_path") as caught:
        serve(base_path, grpc_socket_path=str(tmp_path / "no such folder" / "socket"))
    assert caught.value.code == Code.UNAVAILABLE


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


def test_channel_arguments_limit_what_is_taken(serve, base_path):
    server = serve(
        base_path,
        grpc_channel_arguments=f"grpc.max_receive_message_length=100,some.text=a,some.number={2**32}",
    )
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        assert predict(channel) == [2.5]
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "x" * 200
        with pytest.raises(grpc.RpcError) as caught:
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=DEADLINE)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_channel_arguments_that_are_none_are_told(serve, base_path):
    with pytest.raises(ServingError, match=r"must be key=value, joined by commas; got grpc[.]x$"):
        serve(base_path, grpc_channel_arguments="grpc.y=1,grpc.x")


def test_a_deadline_is_kept_while_the_graph_runs(serve, gate, publish, tmp_path):
    publish(gate, tmp_path, 1)
    server = serve(tmp_path, grpc_max_threads=1)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["file"].CopyFrom(tf.make_tensor_proto(str(tmp_path / "open")))
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=0.5, wait_for_ready=True)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        (tmp_path / "open").touch()
        assert (
            stub.Predict(request, timeout=DEADLINE).outputs["opened"].string_val
        )  # the thread is free again


def test_answers_come_in_tensor_content_where_that_is_asked_for(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    server = serve(tmp_path, enable_serialization_as_tensor_content=True)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        output = stub.Predict(request, timeout=DEADLINE, wait_for_ready=True).outputs["y"]
    assert not output.float_val
    assert tf.make_ndarray(output).tolist() == [2.5, 3.0]


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
