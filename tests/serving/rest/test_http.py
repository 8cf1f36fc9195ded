"""Status and metadata, and what HTTP itself brings: methods, paths, encodings, limits, connections."""

import gzip
import http.client
import json
import shutil
import socket
import subprocess
import threading
from concurrent import futures

import pytest
import requests

from serving.errors import Code, ServingError
from serving.rest import bodies, responses
from serving.rest.http_status import http_status

DEADLINE = 60


def get(url, path, **kwargs):
    return requests.get(url + path, timeout=DEADLINE, **kwargs)


@pytest.mark.parametrize(
    "path", ["/v1/models/typed", "/v1/models/typed/versions/7", "/v1/models/typed/labels/stable"]
)
def test_status_looks_like_tensorflow_servings(url, path):
    assert get(url, path).text == (
        '{\n "model_version_status": [\n  {\n   "version": "7",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models/nope", 404, "Could not find any versions of model nope"),
        ("/v1/models/typed/versions/3", 404, "Could not find version 3 of model typed"),
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/typed:predict", 400, "Malformed request: GET /v1/models/typed:predict"),
        ("/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        ("/v2/models", 404, "There is nothing at /v2/models; models are under /v1/models/NAME"),
        ("/", 404, "There is nothing at /; models are under /v1/models/NAME"),
    ],
)
def test_what_is_not_there(url, path, status, message):
    response = get(url, path)
    assert (response.status_code, response.json()) == (status, {"error": message})


@pytest.mark.parametrize("path", ["/v1/models/typed/metadata", "/v1/models/typed/labels/stable/metadata"])
def test_metadata_gives_the_signatures(url, path):
    metadata = get(url, path).json()
    assert metadata["model_spec"] == {"name": "typed", "signature_name": "", "version": "7"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    three = signatures["three"]
    assert three["method_name"] == "tensorflow/serving/predict"
    assert {name: info["dtype"] for name, info in three["inputs"].items()} == {
        "a": "DT_FLOAT",
        "b": "DT_STRING",
        "c": "DT_INT64",
    }
    [x] = signatures["total"]["inputs"].values()
    assert x["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_are_malformed(url, method):
    response = requests.request(method, f"{url}/v1/models/typed", timeout=DEADLINE)
    assert response.status_code == 400
    if method != "HEAD":
        assert response.json() == {"error": f"Malformed request: {method} /v1/models/typed"}


@pytest.mark.parametrize("path", ["/v1/models/typed", "/monitoring/prometheus/metrics"])
def test_a_request_line_may_name_the_host_too(url, path):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=DEADLINE)
    connection.request("GET", f"HTTP://example.org:8501{path}")
    assert connection.getresponse().status == 200
    connection.close()


def test_long_headers_are_taken(url):
    headers = {"Authorization": "Bearer " + "x" * 500_000} | {f"X-{number}": "y" for number in range(1000)}
    assert get(url, "/v1/models/typed", headers=headers).status_code == 200
    name = "m" * 100_000
    response = get(url, f"/v1/models/{name}")
    assert response.json()["error"].startswith("Could not find any versions of model mmm")


# Nothing comes after the first byte that is too much: who closes with bytes unread resets the connection.
@pytest.mark.parametrize("line", [f"Authorization: {'secret'.ljust(2**20 + 1, 'x')}", "secret\r\n\r\n"])
def test_a_head_that_is_none_is_refused_without_an_echo(url, line, caplog):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        connection.sendall(f"GET /v1/models/typed HTTP/1.1\r\nHost: {host}\r\n{line}".encode())
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") or head.startswith(b"HTTP/1.0 400 ")
    assert b"Content-Type: application/json" in head
    assert list(json.loads(body)) == ["error"]
    assert b"secret" not in head + body
    assert "secret" not in caplog.text


def test_gzipped_bodies_are_taken(post):
    body = gzip.compress(json.dumps({"instances": [1.0]}).encode())
    response = post("typed:predict", body, headers={"Content-Encoding": "gzip"})
    assert response.json() == {"predictions": [1.0]}


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b'{"instances": [1.0]}')[:-9], b""],
    ids=["text", "cut off", "empty"],
)
def test_what_is_no_gzip_is_refused(post, body):
    response = post("typed:predict", body, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert response.json()["error"].startswith("The body is not gzip, as its Content-Encoding says: ")


def test_bodies_that_inflate_without_end_are_refused(post, monkeypatch):
    monkeypatch.setattr(bodies, "_MAX_INFLATED_BYTES", 1000)
    fits, larger = (gzip.compress(b" " * size) for size in (1000, 1001))
    headers = {"Content-Encoding": "gzip"}
    assert "The document is empty" in post("typed:predict", fits, headers=headers).text
    response = post("typed:predict", larger, headers=headers)
    assert (response.status_code, response.json()) == (413, {"error": "The body is larger than 1000 bytes"})


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_beyond_the_limit_are_refused(url, monkeypatch, chunked):
    monkeypatch.setattr(bodies, "_MAX_BYTES", 1000)
    target = f"{url}/v1/models/typed:predict"
    for size, status in ((1000, 400), (1001, 413)):
        body = b" " * size
        response = requests.post(target, iter([body]) if chunked else body, timeout=DEADLINE)
        assert response.status_code == status
    assert response.json() == {"error": "The body is larger than 1000 bytes"}


def test_large_bodies_are_taken(post):
    numbers = [0.5] * 200_000
    assert post("typed:predict", {"instances": numbers}).json() == {"predictions": numbers}


def test_a_connection_serves_many_requests_after_errors_too(url):
    host, port = url.removeprefix("http://").split(":")
    request = f"POST /v1/models/typed:predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: %d\r\n\r\n%s"
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        answers = connection.makefile("rb")
        for body, status in (
            ("{", b"400"),
            ('{"inputs": 1}', b"200"),
            ("[]", b"400"),
            ('{"inputs": 2}', b"200"),
        ):
            connection.sendall((request % (len(body), body)).encode())
            assert answers.readline().split()[1] == status
            headers = dict(line.split(b": ") for line in iter(lambda: answers.readline().strip(), b""))
            assert answers.read(int(headers[b"Content-Length"]))


def test_answers_to_many_callers_at_once_do_not_mix(url):
    def call(number):
        document = {"signature_name": "echo_int64", "instances": [number] * 3}
        response = requests.post(f"{url}/v1/models/typed:predict", json=document, timeout=DEADLINE)
        return response.json()["predictions"]

    with futures.ThreadPoolExecutor(16) as callers:
        assert list(callers.map(call, range(100))) == [[number] * 3 for number in range(100)]


@pytest.fixture
def begun(serve_rest, manager, eventually):
    """Sends the head of a request and the start of its body; gives the connection once it is being read."""
    server, url = serve_rest(manager)
    connection = socket.create_connection(("localhost", int(url.rpartition(":")[2])), timeout=DEADLINE)

    def begin(header: str, body: bytes = b"") -> socket.socket:
        head = f"POST /v1/models/typed:predict HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"
        connection.sendall(head.encode() + body)
        if body:
            eventually(lambda: server._http._in_flight, "the request arrives")
        return connection

    yield begin
    connection.close()
    eventually(lambda: not server._http._in_flight, "the request is forgotten")


def test_bodies_that_announce_too_much_are_not_even_read(begun):
    connection = begun(f"Content-Length: {2**31}")
    assert connection.makefile("rb").readline().split()[1] == b"413"


def test_callers_who_wait_are_told_to_send_the_body(begun):
    body = b'{"instances": [1.0]}'
    connection = begun(f"Expect: 100-continue\r\nConnection: close\r\nContent-Length: {len(body)}")
    answer = connection.makefile("rb")
    assert [answer.readline(), answer.readline()] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
    connection.sendall(body)
    assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
    assert answer.read().endswith(b'{\n    "predictions": [1.0]\n}')


def test_callers_who_wait_with_too_much_are_refused_at_once(begun):
    connection = begun(f"Expect: 100-continue\r\nContent-Length: {2**31}")
    assert connection.makefile("rb").readline().split()[1] == b"413"


def test_callers_who_leave_in_the_middle_are_forgotten(begun, url, caplog):
    begun("Content-Length: 100", b'{"inputs": [').close()
    assert get(url, "/v1/models/typed").status_code == 200
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_as_the_documentation_calls_it(url):
    command = ["curl", "-s", "-d", '{"instances": [1.0,2.0,5.0]}', "-X", "POST"]
    answer = subprocess.run(
        [*command, f"{url}/v1/models/typed:predict"], capture_output=True, check=True, timeout=DEADLINE
    )
    assert json.loads(answer.stdout) == {"predictions": [1.0, 2.0, 5.0]}


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_it_listens_at_both_kinds_of_addresses(url, address):
    if address == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    port = url.rpartition(":")[2]
    assert get(f"http://{address}:{port}", "/v1/models/typed").status_code == 200


def test_an_error_that_utf8_cannot_hold_is_written_all_the_same():
    assert json.loads(responses.error("half a \ud83d")) == {"error": "half a ?"}


def test_every_code_has_its_http_status():
    assert {code: http_status(code) for code in Code}[Code.UNAVAILABLE] == 503


def test_only_one_server_listens_at_a_port(serve_rest, manager, url):
    port = int(url.rpartition(":")[2])
    with pytest.raises(ServingError, match=f"cannot listen at 0.0.0.0:{port}") as caught:
        serve_rest(manager, port=port)
    assert caught.value.code == Code.UNAVAILABLE


@pytest.fixture
def gated(manage, gate):
    made = manage(gate=gate)
    made.start()
    return made


def ask_gate(url, file):
    document = {"inputs": {"file": str(file)}}
    return requests.post(f"{url}/v1/models/gate:predict", json=document, timeout=DEADLINE)


def test_a_request_that_takes_too_long_is_given_up(serve_rest, gated, tmp_path):
    _, url = serve_rest(gated, timeout_ms=100)
    response = ask_gate(url, tmp_path / "never")
    assert (response.status_code, response.json()) == (504, {"error": "Timed out waiting for notification"})


def test_without_a_timeout_it_is_waited_for(serve_rest, gated, tmp_path):
    _, url = serve_rest(gated, timeout_ms=0)
    (tmp_path / "open").touch()
    assert ask_gate(url, tmp_path / "open").status_code == 200


@pytest.fixture
def waiting(serve_rest, gated, tmp_path, eventually):
    """A server with a request at the gate; gives the server, its port, the gate and what came of it."""
    server, url = serve_rest(gated)
    outcome = []

    def ask():
        try:
            outcome.append(ask_gate(url, tmp_path / "gate"))
        except requests.ConnectionError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    in_flight = server._http._in_flight
    eventually(lambda: in_flight, "the request arrives")
    yield server, int(url.rpartition(":")[2]), tmp_path / "gate", outcome
    (tmp_path / "gate").touch()
    thread.join()


def refuses(port):
    try:
        socket.create_connection(("localhost", port), timeout=DEADLINE).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_is_in_flight_is_answered_before_it_stops(waiting, eventually):
    server, port, gate, outcome = waiting
    stopper = threading.Thread(target=server.stop, kwargs={"grace": DEADLINE})
    stopper.start()
    eventually(lambda: refuses(port), "no new connection is taken")
    assert not outcome
    gate.touch()
    stopper.join()
    eventually(lambda: outcome, "the request is answered")
    assert outcome[0].status_code == 200
    assert outcome[0].headers["Connection"] == "close"


def test_what_outlasts_the_grace_is_cut_off(waiting, eventually):
    server, _, _, outcome = waiting
    server.stop(grace=0)
    eventually(lambda: outcome, "the connection is closed")
    assert isinstance(outcome[0], requests.ConnectionError)
