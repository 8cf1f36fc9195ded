import os
import signal
from concurrent import futures

import grpc
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.cli.connection import is_address
from pipelines.cli.evaluate import saved_model_folder
from preprocessing.schema import InputError
from trainer.distribution.config import CLUSTER


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--config", "{file}", "--output", "x"), "the section data: is missing"),
        (("run", "--config", "{folder}/nope.yaml"), "no such file"),
        (
            ("run", "--config", "{toy}", "--until", "fly"),
            "--until: no step 'fly'; there are preprocess",
        ),
        (("evaluate", "--model", "{folder}", "--examples", "{folder}"), "neither a SavedModel nor a folder"),
        (
            ("train", "--config", "{file}", "--training", "{file}", "--examples", "{folder}"),
            "no schema.json here",
        ),
        (("run", "--config", "{toy}", "--output", "{file}"), "file.yaml: a file stands where a folder"),
        (("run", "--config", "{toy}", "--output", "{file}/x"), "file.yaml/x: a file stands where a folder"),
        (("recommend", "--timeout", "soon"), "Invalid value for '--timeout'"),
    ],
)
def test_wrong_arguments_are_one_message_and_status_2(tandem, tmp_path, arguments, said):
    file, toy = tmp_path / "file.yaml", tmp_path / "toy.yaml"
    file.write_text("train: {epochs: 1}\n")
    toy.write_text(
        "data: {interactions: {path: x.csv, columns: {user_id: {kind: id}, item_id: {kind: id}}}}\n"
    )
    _, errors = tandem(*(each.format(file=file, folder=tmp_path, toy=toy) for each in arguments), status=2)
    assert said in errors


@pytest.mark.parametrize("arguments", [("run",), ("tune", "--trials", "1")])
def test_what_cannot_be_a_worker_refuses_before_it_begins(tmp_path, monkeypatch, arguments):
    config, folder = tmp_path / "toy.yaml", tmp_path / "folder"
    config.write_text(
        "data: {interactions: {path: x.csv, columns: {user_id: {kind: id}, item_id: {kind: id}}}}\n"
        "train: {distribution: {kind: multi_worker}}\n"
        "tune: {search: {train.learning_rate: {values: [0.1]}}}\n"
    )
    monkeypatch.setenv(CLUSTER, '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}')
    options = ["--config", str(config), "--output", str(folder)]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert isinstance(result.exception, InputError)
    assert "multi_worker, and TF_CONFIG is set: this process would be one" in str(result.exception)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ("push: {folder: taken}\n", (), "{config}: push.folder: {folder}/taken is no folder"),
        ("push: {folder: taken/below}\n", (), "{config}: push.folder: {folder}/taken is no folder"),
        (
            'evaluate: {require: ["ndcg@10>0", "rmse<=1"]}\n',
            (),
            "{config}: evaluate.require.1: requirement 'rmse<=1': the interactions have no column of "
            "kind label, so models are judged by AUC and not by RMSE",
        ),
        (
            'evaluate: {require: ["ndgc@10>0"]}\n',
            (),
            "{config}: evaluate.require.0: requirement 'ndgc@10>0': no metric 'ndgc@10'; there are ",
        ),
        (
            "",
            ("--warm-start", "nowhere"),
            "--warm-start nowhere: no run folder with a finished training",
        ),
    ],
)
def test_a_run_refuses_before_any_step_what_a_later_one_could_not_do(tmp_path, more, options, said):
    config, folder = tmp_path / "toy.yaml", tmp_path / "run"
    (tmp_path / "taken").touch()
    config.write_text(
        "data: {interactions: {path: x.csv, columns: {user_id: {kind: id}, item_id: {kind: id}}}}\n" + more
    )
    arguments = ["run", "--config", str(config), "--output", str(folder), *options]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(said.format(config=config, folder=tmp_path))
    assert result.output == ""


def test_what_a_step_takes_as_it_is_needs_no_places(tmp_path):
    config = tmp_path / "toy.yaml"
    config.write_text(
        "data: {interactions: {path: x.csv, columns: {user_id: {kind: id}, item_id: {kind: id}}}}\n"
    )
    options = ["--warm-start", "nowhere", "--from", "export"]
    result = CliRunner().invoke(app, ["run", "--config", str(config), "--output", str(tmp_path), *options])
    assert "--from export: preprocess comes before it" in str(result.exception)


def test_the_newest_version_is_judged(tmp_path):
    for name in ("2", "10", "11"):
        (tmp_path / name).mkdir()
    for name in ("2", "10"):
        (tmp_path / name / "saved_model.pb").touch()
    assert saved_model_folder("--model", str(tmp_path)) == str(tmp_path / "10")
    assert saved_model_folder("--model", str(tmp_path / "2")) == str(tmp_path / "2")
    with pytest.raises(InputError, match="neither a SavedModel nor a folder of versions"):
        saved_model_folder("--model", str(tmp_path / "11"))
    with pytest.raises(InputError, match="no such folder"):
        saved_model_folder("--model", str(tmp_path / "nope"))


@pytest.mark.parametrize("options", [[], ["--model", "m", "--server", "localhost:1"]])
def test_the_command_wants_one_model(options):
    result = CliRunner().invoke(app, ["evaluate", "--examples", "e", *options])
    assert isinstance(result.exception, InputError)
    assert "either --model (a folder) or --server (host:port)" in str(result.exception)


@pytest.mark.parametrize("command", [("recommend",), ("search", "drama"), ("evaluate", "--examples", "x")])
@pytest.mark.parametrize(
    "address", ["localhost", "", "localhost:", "localhost:70000", "http://a:1", "::1:80", "[::1]", "unix:"]
)
def test_what_is_no_address_is_refused(command, address):
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, [*command, "--server", address])
    assert result.exit_code == 2
    assert "Invalid value for '--server': expected host:port, [IPv6]:port or unix:path" in result.output


@pytest.mark.parametrize("address", ["localhost:8500", "a-b.example:1", "[::1]:8500", "unix:/tmp/socket"])
def test_what_is_an_address(address):
    assert is_address(address)


@pytest.mark.parametrize("seconds", ["inf", "1e30", "nan", "-1"])
def test_nobody_waits_for_ever(seconds):
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["recommend", "--timeout", seconds])
    assert result.exit_code == 2
    assert "Invalid value for '--timeout'" in result.output


def test_tls_to_a_server_without_it_is_one_message(tandem):
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        _, errors = tandem("recommend", "--server", f"localhost:{port}", "--tls", "--timeout", "2", status=2)
    finally:
        server.stop(None).wait()
    assert errors.startswith(f"tandem: error: no TLS connection to localhost:{port}: ")
    assert errors.count("\n") == 1


def test_a_run_that_is_stopped_says_that_it_can_go_on(tandem, tmp_path):
    config = tmp_path / "toy.yaml"
    config.write_text(
        "data: {interactions: {path: x.csv, columns: {user_id: {kind: id}, item_id: {kind: id}}}}\n"
    )
    os.mkfifo(tmp_path / "x.csv")
    process = tandem.start("run", "--config", config, "--output", tmp_path / "run")
    with (tmp_path / "x.csv").open("w"):  # opens once the run reads there, and waits for what comes
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == "tandem: stopped; the same command goes on from here\n"
