import datetime
import inspect
import sys
import threading
from concurrent import futures

import grpc
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from pipelines import cli
from serving import channels
from serving.client import Client, Version
from serving.errors import Code, ServingError
from serving.models.saved_model import LoadedModel
from serving.predictor import Predictor
from serving.recommendations import Recommendation, describe, recommend


@pytest.fixture(scope="module")
def client(serve, tiny_tandem, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tiny_tandem, base_path, 1)
    with Client(f"localhost:{serve(base_path).port}", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def other(serve, half_plus_two, publish, tmp_path_factory):
    """A client of a model that is not Tandem's."""
    base_path = tmp_path_factory.mktemp("base")
    publish(half_plus_two, base_path, 1)
    with Client(f"localhost:{serve(base_path).port}", timeout=60) as client:
        yield client


@pytest.fixture
def free_port(serve, half_plus_two, publish, tmp_path):
    """A port at which a server was, and is no more."""
    publish(half_plus_two, tmp_path, 1)
    server = serve(tmp_path)
    server.stop(grace=0)
    return server.port


@pytest.mark.parametrize("kind", [Client, LoadedModel])
def test_both_predictors_have_the_protocols_shape(kind):
    wanted = inspect.signature(Predictor.predict).parameters
    assert list(inspect.signature(kind.predict).parameters) == list(wanted)


def test_client_and_loaded_model_give_the_same(client, tiny_tandem):
    inputs = {"user_id": ["196", ""], "history": [[""], ["50"]], "exclude": np.empty((2, 0), object)}
    model = LoadedModel(tiny_tandem)
    over_grpc, in_process = (each.predict("serving_default", inputs) for each in (client, model))
    model.close()
    assert over_grpc.keys() == in_process.keys() == {"item_id", "score", "because"}
    for name, array in over_grpc.items():
        assert array.dtype == in_process[name].dtype
        np.testing.assert_array_equal(array, in_process[name])


def test_recommends_with_titles_and_reasons(client):
    first, second = client.recommend(history=["181"], exclude=["258"], k=2)
    assert first == Recommendation("50", "Star Wars (1977)", 5.0, "181", "Return of the Jedi (1983)")
    assert (second.item_id, second.score) == ("100", 2.0)


def test_the_stored_history_counts_when_none_is_given(client):
    assert {each.because for each in client.recommend("196")} == {"258"}


def test_an_unknown_user_and_unknown_items_are_no_error(client):
    assert [each.because for each in client.recommend("nobody", ["99999"], k=3)] == ["", "", ""]


def test_the_answer_ends_early_when_nothing_remains(client):
    assert [each.item_id for each in client.recommend(exclude=["50", "181", "258", "100"])] == ["286"]
    assert client.recommend(exclude=["50", "181", "258", "100", "286"]) == []


def test_titles_of_known_items_only(client):
    assert describe(client, ["286", "99999", "286"]) == {"286": "[REC] Amélie"}
    assert describe(client, []) == {}


def test_a_model_without_titles_still_recommends(tiny_tandem):
    model = LoadedModel(tiny_tandem)

    class Untitled:
        def predict(self, signature, inputs, outputs=None):
            return model.predict("nope" if signature == "describe" else signature, inputs, outputs)

    assert describe(Untitled(), ["50"]) is None
    assert recommend(Untitled(), k=1) == [Recommendation("50", "", 5.0, "", "")]
    model.close()


@pytest.mark.parametrize("arguments", [{"k": 0}, {"user_id": "\udcff"}, {"history": ["\udcff"]}])
def test_impossible_requests_are_refused_before_they_are_sent(arguments):
    with pytest.raises(ServingError):
        Client("nowhere:1").recommend(**arguments)


def test_errors_are_in_the_servers_words(other):
    with pytest.raises(ServingError, match='FAILED_PRECONDITION: Serving signature key "nope"') as caught:
        other.predict("nope", {})
    assert caught.value.code == Code.FAILED_PRECONDITION
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: input size does not match signature: 3!=1"):
        other.recommend("196")


class Moody(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Says no with a status as often as it is told, then answers nothing at all, successfully."""

    def __init__(self, refusals: float, code=grpc.StatusCode.UNAVAILABLE):
        self.calls = 0
        self._refusals = refusals
        self._code = code
        self._counting = threading.Lock()

    def Predict(self, request, context):  # noqa: N802
        with self._counting:
            self.calls += 1
            refused = self.calls <= self._refusals
        if refused:
            context.abort(self._code, "the batch queue is full")
        return predict_pb2.PredictResponse()


@pytest.fixture
def moody():
    """Starts servers that are not always in the mood; gives the servicer and its target."""
    servers = []

    def start(*arguments) -> tuple[Moody, str]:
        servicer, server = Moody(*arguments), grpc.server(futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        servers.append(server)
        return servicer, f"localhost:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()


def test_a_call_is_tried_again_while_the_server_is_unavailable(moody):
    servicer, target = moody(2)
    with Client(target, timeout=60) as client:
        assert client.predict("", {}) == {}
    assert servicer.calls == 3


def test_after_five_tries_the_servers_words_are_told(moody):
    servicer, target = moody(100)
    with (
        Client(target) as client,
        pytest.raises(
            ServingError, match=f"^{target} answered UNAVAILABLE: the batch queue is full$"
        ) as caught,
    ):
        client.predict("", {})
    assert caught.value.code == Code.UNAVAILABLE
    assert servicer.calls == 5


def test_what_would_fail_again_is_not_tried_again(moody):
    servicer, target = moody(1, grpc.StatusCode.INVALID_ARGUMENT)
    with Client(target) as client, pytest.raises(ServingError, match="INVALID_ARGUMENT"):
        client.predict("", {})
    assert servicer.calls == 1


def test_a_server_in_trouble_does_not_get_five_times_its_load(moody):
    servicer, target = moody(float("inf"))
    calls = 120
    with Client(target) as client, futures.ThreadPoolExecutor(calls) as callers:
        for error in [callers.submit(client.predict, "", {}).exception for _ in range(calls)]:
            assert isinstance(error(), ServingError)
    assert calls <= servicer.calls < 2 * calls


def test_no_server_says_how_to_start_one(free_port):
    with (
        Client(f"localhost:{free_port}") as client,
        pytest.raises(
            ServingError, match=f"no server at localhost:{free_port}; start one with `tandem serve"
        ) as caught,
    ):
        client.recommend("196")
    assert caught.value.code == Code.UNAVAILABLE


def test_a_host_that_does_not_exist_is_named():
    with (
        Client("nowhere.invalid:8500") as client,
        pytest.raises(ServingError, match=r"no server at nowhere\.invalid:8500"),
    ):
        client.recommend("196")


def test_another_kind_of_server_is_told_apart(moody):
    _, target = moody(0)
    with Client(target) as client, pytest.raises(ServingError, match=r"UNIMPLEMENTED: .*its gRPC port"):
        client.versions()


def test_another_models_name_is_told(client):
    with (
        Client(client.target, "other", timeout=60) as other,
        pytest.raises(
            ServingError, match=r"NOT_FOUND: .*Latest\(other\) \(is the model's name right"
        ) as caught,
    ):
        other.predict("", {})
    assert caught.value.code == Code.NOT_FOUND


def test_signatures_tell_what_can_be_asked(client):
    signatures = client.signatures()
    assert {"serving_default", "describe"} <= signatures.keys()
    assert set(signatures["serving_default"].inputs) == {"user_id", "history", "exclude"}


def test_versions_are_told_with_their_state(client):
    assert client.versions() == [Version(1, "AVAILABLE", "")]


def test_a_deadline_is_kept(serve, gate, publish, tmp_path):
    publish(gate, tmp_path, 1)
    target = f"localhost:{serve(tmp_path).port}"
    with (
        Client(target, timeout=0.5) as client,
        pytest.raises(ServingError, match=f"{target} did not answer within 0.5 s"),
    ):
        client.predict("", {"file": str(tmp_path / "open")})
    (tmp_path / "open").touch()


def test_a_server_that_comes_up_later_is_found(serve, half_plus_two, tmp_path, free_port):
    """The client calls first and the server starts while it retries."""
    with Client(f"localhost:{free_port}", timeout=60) as client:
        answers = []

        def call():
            while not answers:
                try:
                    answers.append(client.predict("", {"x": [2.0]})["y"].tolist())
                except ServingError as error:
                    assert error.code == Code.UNAVAILABLE  # the machine is slow: five tries were not enough

        caller = threading.Thread(target=call)
        caller.start()
        serve(tmp_path, port=free_port)
        caller.join()
    assert answers == [[3.0]]


def test_waiting_ends_when_the_server_is_there(serve, tmp_path, free_port):
    with futures.ThreadPoolExecutor() as pool, Client(f"localhost:{free_port}") as client:

        def wait():
            client.wait_until_ready(3600)
            return client.versions()  # which is asked once: a server that is not there yet would be an error

        versions = pool.submit(wait)
        serve(tmp_path, port=free_port)
        assert [version.state for version in versions.result(60)] == ["AVAILABLE"]


def test_waiting_for_no_server_ends_at_the_deadline(free_port):
    with (
        Client(f"localhost:{free_port}") as client,
        pytest.raises(ServingError, match=f"no server at localhost:{free_port}"),
    ):
        client.wait_until_ready(0.5)


def test_waiting_for_an_unknown_model_ends_at_once(client):
    with (
        Client(client.target, "other") as other,
        pytest.raises(ServingError, match="NOT_FOUND: Could not find any versions of model other"),
    ):
        other.wait_until_ready(3600)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The PEM files of a certificate for localhost, which vouches for itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + datetime.timedelta(days=1),
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    folder = tmp_path_factory.mktemp("certificate")
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def tls_target(serve, tiny_tandem, publish, certificate, tmp_path_factory):
    """A server that speaks TLS and verifies its clients."""
    folder = tmp_path_factory.mktemp("tls")
    publish(tiny_tandem, folder, 1)
    public, private = (path.read_text() for path in certificate)
    config = folder / "ssl.txt"
    config.write_text(
        f"server_key: {private!r} server_cert: {public!r} custom_ca: {public!r} client_verify: true"
    )
    return f"localhost:{serve(folder, ssl_config_file=str(config)).port}"


def test_tls_with_a_clients_certificate(tls_target, certificate):
    public, private = certificate
    credentials = channels.tls(public, public, private)
    with Client(tls_target, timeout=60, credentials=credentials) as client:
        assert client.recommend("196", k=1)[0].item_id == "50"


def test_without_the_right_authority_there_is_no_connection(tls_target):
    with (
        Client(tls_target, credentials=channels.tls()) as client,
        pytest.raises(ServingError, match=f"no TLS connection to {tls_target}: .*CERTIFICATE_VERIFY_FAILED"),
    ):
        client.recommend("196")


def test_without_tls_the_error_thinks_of_it(tls_target):
    with (
        Client(tls_target) as client,
        pytest.raises(ServingError, match="give its certificates if it speaks TLS"),
    ):
        client.recommend("196")


def test_the_command_line_takes_certificates(tls_target, certificate, monkeypatch, capsys):
    public, private = certificate
    options = [f"--ca_certificate={public}", f"--client_certificate={public}", f"--client_key={private}"]
    command = ["tandem", "recommend", f"--server={tls_target}", "--timeout=60", "--user=196", *options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert "Star Wars (1977)" in capsys.readouterr().out


def test_certificates_that_cannot_be_used_are_told(certificate, tmp_path):
    with pytest.raises(ServingError, match=f"cannot read {tmp_path}/nope: No such file or directory"):
        channels.tls(tmp_path / "nope")
    with pytest.raises(ServingError, match="a client's certificate and its key go together"):
        channels.tls(client_certificate=certificate[0])
