import pytest
from typer.testing import CliRunner

from pipelines.cli import app
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
