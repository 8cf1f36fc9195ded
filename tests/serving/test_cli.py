"""`tandem serve` and `tandem recommend` as users run them."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from pipelines import cli


@pytest.fixture(scope="module")
def target(serve, tiny_tandem, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tiny_tandem, base_path, 1)
    return f"localhost:{serve(base_path).port}"


@pytest.fixture
def tandem(capsys, monkeypatch):
    """Runs the command line in this process; gives its status, standard output and error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tandem", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def recommend(tandem, target):
    def run(*arguments: str) -> str:
        status, out, err = tandem("recommend", f"--server={target}", "--timeout=60", *arguments)
        assert (status, err) == (0, "")
        return out

    return run


def test_a_known_user_gets_a_table_with_reasons(recommend):
    out = recommend("--user=196", "--k=2")
    header, first, second = (line for line in out.splitlines() if "1" in line or "rank" in line)
    assert all(name in header for name in ("rank", "title", "item", "score", "because"))
    assert all(cell in first for cell in ("1", "Star Wars (1977)", "50", "5.000", "Contact (1997)"))
    assert "Return of the Jedi (1983)" in second
    assert "no history" not in out


def test_a_given_history_stands_above_as_titles_and_unknown_items_are_named(recommend):
    lines = recommend("--history= 50, 99999 ,181", "--exclude=3,258").splitlines()
    assert lines[0] == "history: Star Wars (1977) (50) · Return of the Jedi (1983) (181)"
    assert lines[1:3] == [f"ignored: {item} is not in the catalogue" for item in ("99999", "3")]
    assert not any("Contact" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "who"),
    [(["--user=nobody"], "user nobody"), ([], "this user"), (["--history=7"], "this user")],
)
def test_somebody_unknown_gets_what_suits_anybody(recommend, arguments, who):
    out = recommend(*arguments)
    assert f"no history is known of {who}: these suit anybody" in out
    assert "Star Wars (1977)" in out


def test_a_title_is_no_markup(recommend):
    assert "[REC] Amélie" in recommend()


def test_nothing_left_is_said(recommend):
    assert "nothing is left to recommend" in recommend("--exclude=50,181,258,100,286")


def test_json_holds_all_of_it(recommend):
    assert json.loads(recommend("--history=50,7", "--k=1", "--json")) == {
        "user": "",
        "history": [{"item_id": "50", "title": "Star Wars (1977)"}, {"item_id": "7", "title": ""}],
        "unknown": ["7"],
        "recommendations": [
            {
                "item_id": "181",
                "title": "Return of the Jedi (1983)",
                "score": 4.0,
                "because": "50",
                "because_title": "Star Wars (1977)",
            }
        ],
    }


def test_no_server_is_one_line(tandem):
    status, out, err = tandem("recommend", "--server=localhost:1", "--timeout=1")
    assert (status, out) == (2, "")
    assert err.startswith("tandem: error: no server at localhost:1; start one with `tandem serve")
    assert err.count("\n") == 1


def test_another_model_name_is_told(tandem, target):
    status, _, err = tandem("recommend", f"--server={target}", "--model_name=other", "--timeout=60")
    assert status == 2
    assert "Servable not found for request: Latest(other)" in err


@pytest.mark.parametrize(
    ("base_path", "message"), [("nope", "Could not find base path"), (".", "no model version in")]
)
def test_serve_tells_what_is_wrong_with_the_path(tandem, tmp_path, base_path, message):
    status, out, err = tandem(
        "serve", f"--model_base_path={tmp_path / base_path}", "--port=0", "--file_system_poll_wait_seconds=0"
    )
    assert (status, out) == (255, "")
    assert re.fullmatch(rf"Failed to start server\. Error: [A-Z_]+: {message}.*\n", err)


@pytest.mark.parametrize("flag", ["--port=70000", "--port=-1", "--grpc_max_threads=-1"])
def test_serve_refuses_impossible_numbers(tandem, tmp_path, flag):
    status, out, err = tandem("serve", f"--model_base_path={tmp_path}", flag)
    assert (status, out) == (255, "")
    assert err.startswith("Failed to start server. Error: INVALID_ARGUMENT: ")
    assert f"{flag.split('=')[0].strip('-')} must be" in err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--nonsense=1", "unknown argument: --nonsense=1"),
        ("--port=eighty", "Couldn't interpret value eighty for flag port."),
    ],
)
def test_serve_shows_its_flags_when_it_cannot_read_one(tandem, flag, message):
    status, out, err = tandem("serve", flag)
    assert (status, out) == (255, "")
    assert err.startswith(f"{message}\nusage: tandem serve\n")
    assert "--tensorflow_intra_op_parallelism=0" in err


def test_serve_tells_its_version(tandem):
    status, out, err = tandem("serve", "--version")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"TensorFlow ModelServer: tandem [0-9.]+\nTensorFlow Library: 2\.[0-9.]+\n", out)


def test_serve_refuses_contradictions_in_tensorflow_servings_words(tandem):
    status, out, err = tandem("serve", "--model_base_path=/m", "--batching_parameters_file=b")
    assert (status, out) == (255, "")
    assert err == (
        "Failed to start server. Error: INVALID_ARGUMENT: server_options.batching_parameters_file is set "
        "without setting server_options.enable_batching to true.\n"
    )


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def test_sigterm_answers_what_is_in_flight(tandem_serve, gate, publish, eventually, tmp_path):
    publish(gate, tmp_path, 1)
    rest_port = unused_port()
    process, port = tandem_serve(
        f"--model_base_path={tmp_path}",
        "--model_name=gate",
        f"--rest_api_port={rest_port}",
        "--tensorflow_inter_op_parallelism=-1",  # each in its own thread: those that wait stop no other
    )

    def request(file):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "gate"
        request.inputs["file"].CopyFrom(tf.make_tensor_proto(str(tmp_path / file)))
        return request

    def post(file):
        connection = http.client.HTTPConnection("localhost", rest_port, timeout=120)
        connection.request("POST", "/v1/models/gate:predict", json.dumps({"inputs": str(tmp_path / file)}))
        return connection

    def refused(port) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("localhost", port)) != 0

    with grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        slow_rest = post("slow")
        slow = stub.Predict.future(request("slow"), timeout=120)
        # One connection keeps order: when the second is answered, the first is being worked on.
        (tmp_path / "open").touch()
        stub.Predict(request("open"), timeout=120)
        # One thread reads what comes over HTTP: when the second is answered, the first has been read.
        assert post("open").getresponse().status == 200
        process.send_signal(signal.SIGTERM)
        eventually(lambda: refused(port) and refused(rest_port), "the server takes no new connections")
        assert not slow.done()
        (tmp_path / "slow").touch()
        assert slow.result().outputs["opened"].string_val[0].endswith(b"slow")
        assert json.load(slow_rest.getresponse())["outputs"]["opened"] == str(tmp_path / "slow")
    assert process.wait(timeout=120) == 0


def test_the_commands_meet_in_processes_of_their_own(tandem_serve, tiny_tandem, publish, tmp_path):
    publish(tiny_tandem, tmp_path, 1)
    _, port = tandem_serve(f"--model_base_path={tmp_path}")
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "recommend", "--user=196"]
    said = subprocess.run(
        [*command, f"--server=localhost:{port}", "--timeout=120"], capture_output=True, text=True, check=True
    )
    assert "Star Wars (1977)" in said.stdout
    assert said.stderr == ""


def test_help_needs_no_tensorflow():
    program = """
import sys
from pipelines.cli import main
sys.argv = ["tandem", "serve", "--help"]
try:
    main()
finally:
    assert "tensorflow" not in sys.modules
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--tensorflow_intra_op_parallelism" in said.stdout
