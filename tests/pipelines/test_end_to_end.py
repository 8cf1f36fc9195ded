"""The real command on a real slice of MovieLens, and a server in a process of its own."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from pipelines.cli.evaluate import _connected
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.requirements import Blessing
from pipelines.runs.lineage import Lineage
from pipelines.steps import GRAPH
from preprocessing.schema import InputError, Schema, folder_digest
from serving.client import Client

STEPS = GRAPH.names


@pytest.fixture(scope="module")
def server(tandem, finished_run):
    """The address of `tandem serve` on the run's model."""
    folder, _ = finished_run
    with tandem.serving(folder / "model") as address:
        yield address


def test_a_run_leaves_every_artifact_and_shows_what_came_of_it(finished_run):
    folder, output = finished_run
    for name in ("examples/schema.json", "training/training.json", "model/1/saved_model.pb", "server.log"):
        assert (folder / name).exists()
    assert list((folder / "training" / "logs").rglob("events.out.tfevents*"))
    report = json.loads((folder / "evaluation" / "metrics.json").read_text())
    values = {
        row["model"]: {name: metric["value"] for name, metric in row["metrics"].items()}
        for row in report["rows"]
    }
    assert values["Tandem"]["NDCG@10"] > 0.02
    assert 0.5 < values["Tandem"]["RMSE"] < 1.5
    assert {"EASE", "popularity"} <= set(values)
    for name, metrics in values.items():
        assert name in output
        assert f"{next(iter(metrics.values())):.4f}" in output
    assert "because" in output and "tandem recommend --history" in output
    for step in STEPS:
        assert re.search(rf"^{step}: done in [\d.]+ s$", output, re.MULTILINE)
        assert re.search(rf"│ {step} +│ +[\d.]+ │", output)
    assert f"tandem serve --model_base_path={folder / 'serving'}" in output
    assert folder_digest(folder / "serving" / "1") == folder_digest(folder / "model" / "1")
    lineage = Lineage.read(folder)
    assert tuple(lineage.steps) == STEPS
    assert lineage.steps["export"].artifact == "model/1"
    assert lineage.steps["export"].digest == lineage.steps["push"].digest == report["model"]["digest"]
    assert {name for name in lineage.steps["export"].inputs} == {"preprocess", "train"}


def test_running_it_again_reuses_everything(tandem, finished_run, slice_config):
    folder, first = finished_run
    again, _ = tandem("run", "--config", slice_config, "--output", folder)
    for step in STEPS:
        assert f"{step}: nothing has changed, reused" in again
    assert [path.name for path in (folder / "model").iterdir()] == ["1"]
    # What the evaluation and the recommendations printed is shown again.
    shown = [line for line in first.splitlines() if "EASE" in line or "tandem recommend" in line]
    assert len(shown) > 4 and set(shown) <= set(again.splitlines())


def test_a_run_with_nothing_to_do_loads_neither_tensorflow_nor_a_server(finished_run, slice_config):
    folder, _ = finished_run
    program = (
        "import sys; from pipelines.cli import app;"
        f"app(['run', '--config', {str(slice_config)!r}, '--output', {str(folder)!r}], standalone_mode=False)"
        ";assert 'tensorflow' not in sys.modules and 'serving.client' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_another_export_section_redoes_the_export_alone(tandem, finished_run, slice_config, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[0], folder)
    values = yaml.safe_load(slice_config.read_text())
    values["export"]["k"] = 15
    changed = slice_config.with_name("changed.yaml")
    changed.write_text(yaml.safe_dump(values))
    output, _ = tandem("run", "--config", changed, "--output", folder)
    assert re.findall(r"^(\w+): nothing has changed, reused", output, re.MULTILINE) == ["preprocess", "train"]
    for name in ("model", "serving"):
        assert sorted(path.name for path in (folder / name).iterdir()) == ["1", "2"]


def test_another_training_key_redoes_training_onward_alone(tandem, finished_run, slice_config, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[0], folder)
    values = yaml.safe_load(slice_config.read_text())
    values["train"]["epochs"] = 1
    values["evaluate"] = {"require": ["ndcg@10>=0.001", "recall@10 > 2"]}
    changed = slice_config.with_name("training.yaml")
    changed.write_text(yaml.safe_dump(values))
    output, errors = tandem("run", "--config", changed, "--output", folder, status=1)
    assert re.findall(r"^(\w+): (?:nothing|begun)", output, re.MULTILINE) == list(STEPS[:-1])
    assert re.findall(r"^(\w+): nothing has changed, reused", output, re.MULTILINE) == ["preprocess"]
    # The new model is not good enough to be pushed; nothing is done again to say so once more.
    assert "model/2 is not blessed and was not pushed:\n  recall@10 > 2: it has 0." in errors
    assert f"{folder}/serving/1 stays the newest version there" in errors
    again, errors = tandem("run", "--config", changed, "--output", folder, status=1)
    assert re.findall(r"^(\w+): nothing has changed, reused", again, re.MULTILINE) == list(STEPS[:5])
    assert "is not blessed" in errors
    assert [path.name for path in (folder / "serving").iterdir()] == ["1"]
    # Once it is good enough it is pushed, without another evaluation.
    values["evaluate"] = {"require": ["recall@10 < 2"]}
    values["push"] = {"folder": str(tmp_path / "served")}
    changed.write_text(yaml.safe_dump(values))
    output, _ = tandem("run", "--config", changed, "--output", folder, "--until", "push")
    assert re.findall(r"^(\w+): begun", output, re.MULTILINE) == ["bless", "push"]
    assert folder_digest(tmp_path / "served" / "1") == folder_digest(folder / "model" / "2")
    assert "Serve it: tandem serve --model_base_path=" + str(tmp_path / "served") in output


def test_a_run_starts_from_the_model_of_another(tandem, finished_run, slice_config, tmp_path):
    older, _ = finished_run
    command = ("run", "--config", slice_config, "--output", tmp_path / "run", "--until", "train")
    command += ("--warm-start", older)
    output, _ = tandem(*command)
    assert f"Starting from {older}/training, which knows 1,156 of 1,156 items and 80 of 80 users" in (
        " ".join(output.split())
    )
    trained = [Lineage.read(folder).steps["train"] for folder in (older, tmp_path / "run")]
    assert trained[1].inputs == {**trained[0].inputs, "warm start": trained[0].digest}
    output, _ = tandem(*command)
    assert "train: nothing has changed, reused" in output
    for run, said in ((tmp_path / "run", "cannot start from itself"), (tmp_path, "no run folder with a fin")):
        _, errors = tandem(*command[:-1], run, status=2)
        assert said in errors


def test_official_stubs_get_recommendations(server, finished_run):
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        for name, value in (("user_id", [b"7"]), ("history", [[b"50", b"181"]]), ("exclude", [[b"172"]])):
            request.inputs[name].CopyFrom(tf.make_tensor_proto(np.array(value, object), tf.string))
        answer = stub.Predict(request, timeout=30)
    items = tf.make_ndarray(answer.outputs["item_id"])[0]
    assert len(items) == len(set(items)) == 20
    assert not {b"50", b"181", b"172", b""} & set(items)
    assert set(tf.make_ndarray(answer.outputs["because"])[0]) <= {b"50", b"181"}
    assert (np.diff(tf.make_ndarray(answer.outputs["score"])[0]) <= 0).all()


def test_a_click_changes_the_next_answer(server):
    with Client(server) as client:
        before = client.recommend(history=["50"], k=10)
        after = client.recommend(history=["50", before[0].item_id], k=10)
    assert before[0].item_id not in {each.item_id for each in after}
    assert {each.because for each in after} <= {"50", before[0].item_id}


def test_recommend_prints_titles_and_reasons(tandem, server, finished_run):
    output, _ = tandem("recommend", "--user", "7", "--server", server, "--k", "5")
    assert len(re.findall(r"^│ +\d+ │", output, re.MULTILINE)) == 5
    output, _ = tandem("recommend", "--history", "50,181", "--server", server)
    assert "history: Star Wars (50) · Return of the Jedi (181)" in output
    answer, _ = tandem("recommend", "--user", "7", "--server", server, "--json", "--k", "3")
    assert len(json.loads(answer)["recommendations"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--user", "nobody"), "no history is known of user nobody: these suit anybody"),
        (("--history", ""), "no history is known of this user: these suit anybody"),
        (("--history", "50,99999"), "ignored: 99999 is not in the catalogue"),
        (("--history", "99999"), "ignored: 99999 is not in the catalogue"),
        (
            ("--user", "nobody", "--history", "50", "--exclude", "181,xyz"),
            "ignored: xyz is not in the catalogue",
        ),
    ],
)
def test_recommend_answers_what_it_does_not_know_sensibly(tandem, server, arguments, said):
    output, _ = tandem("recommend", *arguments, "--server", server)
    assert said in output
    assert len(re.findall(r"^│ +\d+ │", output, re.MULTILINE)) == 10


def test_recommend_without_a_server_is_one_clear_line(tandem):
    _, errors = tandem("recommend", "--user", "7", "--server", "localhost:1", "--timeout", "1", status=2)
    assert "tandem serve" in errors
    assert len(errors.strip().splitlines()) == 1


def test_the_server_and_the_saved_model_are_judged_alike(tandem, server, finished_run, tmp_path):
    folder, _ = finished_run
    reports = []
    for source in (("--model", folder / "model"), ("--server", server)):
        output = tmp_path / source[0][2:]
        command = ("evaluate", *source, "--examples", folder / "examples", "--output", output)
        tandem(*command, "--require", "ndcg@10>0.02")
        reports.append(json.loads((output / "metrics.json").read_text())["rows"])
        blessing = Blessing.read(output)
        assert blessing.blessed
        assert blessing.model is not None and blessing.model.number == 1
    for one, other in zip(*reports, strict=True):
        assert one["model"] == other["model"]
        for name, metric in one["metrics"].items():
            assert metric["value"] == pytest.approx(other["metrics"][name]["value"], abs=1e-6)
    assert reports[0] == json.loads((folder / "evaluation" / "metrics.json").read_text())["rows"]


def test_a_model_that_lacks_what_is_required_is_not_blessed(evaluated, finished_run):
    folder, printed = evaluated
    assert re.search(
        r"ndcg@10>0.02: 0\.\d{4}, holds\nrecall@10\[head\]>1: [01]\.\d{4}, does not hold\nnot blessed",
        printed,
    )
    blessing = Blessing.read(folder)
    assert [finding.holds for finding in blessing.findings] == [True, False]
    assert blessing.model.digest == folder_digest(finished_run[0] / "model" / "1")


def test_a_model_is_level_with_itself(evaluated):
    folder, printed = evaluated
    baseline = json.loads((folder / "metrics.json").read_text())["rows"][1]
    assert baseline["model"] == "Baseline"
    assert {"all", "head", "tail"} <= baseline["ahead"].keys()
    for metrics in baseline["ahead"].values():
        assert metrics.keys() == {"Recall@10", "Recall@100", "NDCG@10", "MRR", "RMSE"}
        assert all(metric == {"value": 0, "low": 0, "high": 0} for metric in metrics.values())
    assert re.search(r"all +\d+ +\+0\.0000 ±0\.000", printed)


def test_a_server_can_be_the_baseline(tandem, server, finished_run, tmp_path):
    folder, _ = finished_run
    command = ("evaluate", "--model", folder / "model", "--examples", folder / "examples")
    printed, _ = tandem(*command, "--baseline", server, "--output", tmp_path / "evaluation")
    report = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert report["baseline"] == {"source": f"{server}/default", "number": 1, "digest": None}
    assert report["model"]["digest"] == folder_digest(folder / "model" / "1")
    ours, theirs = report["rows"][:2]
    assert (ours["model"], theirs["model"]) == ("Tandem", "Baseline")
    # It serves the model that is judged.
    for name, metric in ours["metrics"].items():
        assert theirs["metrics"][name]["value"] == pytest.approx(metric["value"], abs=1e-6)
    for metric in theirs["ahead"]["all"].values():
        assert metric["value"] == pytest.approx(0, abs=1e-6)
    assert "Tandem less Baseline" in printed


def test_a_requirement_that_cannot_be_is_told_at_once(tandem, tmp_path):
    _, errors = tandem("evaluate", "--model", "m", "--examples", "e", "--require", "ndcg@5>0", status=2)
    assert "no metric 'ndcg@5'; there are 'Recall@10', 'Recall@100', 'NDCG@10'" in errors


def test_a_requirement_that_such_data_cannot_meet_is_told_at_once(tandem, finished_run):
    examples = finished_run[0] / "examples"
    used, other = ("rmse", "auc") if Schema.read(examples).label else ("auc", "rmse")
    command = ("evaluate", "--model", "m", "--examples", examples, "--require", f"{other}>0")
    _, errors = tandem(*command, status=2)
    assert f"models are judged by {used.upper()} and not by {other.upper()}" in errors


def test_a_server_that_begins_to_serve_another_version_is_not_judged(tandem, finished_run, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(finished_run[0] / "model", model)
    with (
        tandem.serving(model) as address,
        pytest.raises(InputError, match="began to serve another version than 1 while it was judged"),
        _connected(address, "default", None) as (client, version),
    ):
        assert version == ModelVersion(f"{address}/default", 1)
        shutil.copytree(model / "1", tmp_path / "2")
        (tmp_path / "2").rename(model / "2")
        while not any(each.number == 2 and each.state == "AVAILABLE" for each in client.versions()):
            time.sleep(0.1)


def _digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_and_two_workers_write_the_same_bytes(tandem, finished_run, slice_config, tmp_path):
    folder, _ = finished_run
    tandem("preprocess", "--config", slice_config, "--output", tmp_path / "two", "--workers", "2")
    assert _digests(tmp_path / "two") == _digests(folder / "examples")


def test_two_runs_do_not_share_a_folder(tandem, slice_config, tmp_path):
    first = tandem.start("run", "--config", slice_config, "--output", tmp_path / "run")
    try:
        assert first.stdout.readline().startswith("preprocess")
        _, errors = tandem("run", "--config", slice_config, "--output", tmp_path / "run", status=2)
        assert "another command is at work in this folder" in errors
    finally:
        first.kill()
        first.communicate()
