"""How clients reach the server: TLS, UNIX sockets, limits."""

import datetime

import grpc
import pytest
import tensorflow as tf
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.errors import Code, ServingError
from tests.serving.grpc_api.conftest import predict

DEADLINE = 60


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
