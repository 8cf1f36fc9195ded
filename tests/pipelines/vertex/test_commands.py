"""The commands of the compiled steps, run here as they stand, on tiny tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp import dsl
from kfp.local import executor_input_utils, placeholder_utils
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.vertex.config import VertexRun
from pipelines.vertex.specification import compile_document
from preprocessing.schema import Schema
from tests.pipelines.vertex.conftest import config_values, write_config
from tests.trainer.conftest import data_config, write_tables

ROOT = Path(__file__).parents[3]


class Steps:
    """Runs steps of a specification: KFP's own code fills the placeholders in, processes do the rest."""

    def __init__(self, specification: dict, folder: Path) -> None:
        self._specification = json_format.ParseDict(specification, pipeline_spec_pb2.PipelineSpec())
        self._folder = folder
        commands = folder / "bin"
        commands.mkdir()
        for name, arguments in (("tandem", "-m pipelines.cli"), ("python", "")):
            script = f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n'
            (commands / name).write_text(script, encoding="utf-8")
            (commands / name).chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def run(self, name: str, **arguments: object) -> tuple[dict[str, dsl.Artifact], dict[str, Path]]:
        """Runs a step; gives its artifacts and the files of its parameters."""
        component = self._specification.components[f"comp-{name}"]
        inputs = executor_input_utils.construct_executor_input(
            component, arguments, str(self._folder / name), block_input_artifact=False
        )
        values = executor_input_utils.executor_input_to_dict(inputs, component)
        container = json_format.MessageToDict(
            self._specification.deployment_spec["executors"][component.executor_label]
        )["container"]
        command = self._filled([*container["command"], *container["args"]], values)
        if "google_cloud_pipeline_components.container.v1.custom_job.launcher" in command:
            job = json.loads(command[command.index("--payload") + 1])["job_spec"]
            worker = job["worker_pool_specs"][0]["container_spec"]
            command = self._filled([*worker["command"], *worker["args"]], values)
        assert not [word for word in command if "{{$" in word]
        ended = subprocess.run(command, env=self._environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        outputs = inputs.outputs
        artifacts = {key: dsl.Artifact(key, each.artifacts[0].uri) for key, each in outputs.artifacts.items()}
        return artifacts, {key: Path(each.output_file) for key, each in outputs.parameters.items()}

    def _filled(self, command: list[str], values: dict) -> list[str]:
        filled: list[str] = placeholder_utils.replace_placeholders(
            command, values, "pipeline", "task", str(self._folder), "1"
        )
        return filled


@pytest.fixture(scope="module")
def steps(tmp_path_factory, tiny_bert):
    """The steps of a config with two requirements, and that config with the tables of this machine."""
    folder = tmp_path_factory.mktemp("steps")
    write_tables(folder)
    values = config_values()
    values["data"] = data_config(tiny_bert).model_dump(mode="json", by_alias=True, exclude_none=True)
    values["model"] = {"dimension": 16, "history": 8, "blocks": 1}
    values["train"] = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01}
    values["search"] = {"enabled": False}
    values["export"] = {"k": 10, "candidates": 20}
    values["vertex"].update(dataflow=None, step={"cpu": 1})
    here = yaml.safe_dump(values)
    for table in ("interactions", "items", "users"):
        here = here.replace(f"path: {table}.csv", f"path: {folder / table}.csv")
        values["data"][table]["path"] = f"gs://shop/{table}.csv"
    return folder, values, here


@pytest.fixture(scope="module")
def pushed(steps):
    """What the steps of a config leave whose requirement is easily held."""
    folder, values, here = steps
    values["evaluate"] = {"require": ["ndcg@10>=0.01"]}
    run = Steps(compile_document(VertexRun.read(write_config(folder, values))), folder)
    prepared, _ = run.run("preprocess", config=here)
    trained, _ = run.run(
        "train",
        config=prepared["written"],
        examples=prepared["examples"],
        project="my-project",
        location="europe-west4",
        persistent_resource_id="",  # its default is known to Vertex AI alone
    )
    judged, parameters = run.run("evaluate", model=trained["model"], examples=prepared["examples"])
    return {**prepared, **trained, **judged}, parameters


def test_the_steps_leave_what_a_run_on_this_machine_does(pushed):
    artifacts, _ = pushed
    assert Schema.read(Path(artifacts["examples"].uri)).name == "My shop"
    assert (Path(artifacts["model"].uri) / "1" / "saved_model.pb").exists()
    assert list((Path(artifacts["training"].uri) / "training" / "checkpoints").iterdir())
    report = json.loads((Path(artifacts["report"].uri) / "metrics.json").read_text(encoding="utf-8"))
    assert report["rows"][0]["model"] == "Tandem"


def test_a_model_that_holds_what_is_required_is_blessed(pushed):
    artifacts, parameters = pushed
    assert parameters["blessed"].read_text(encoding="utf-8") == "true"
    assert parameters["model_uri"].read_text(encoding="utf-8") == artifacts["model"].uri


def test_one_that_does_not_is_no_failure_but_not_blessed(pushed, steps, tmp_path):
    artifacts, _ = pushed
    _, values, _ = steps
    values["evaluate"] = {"require": ["ndcg@10>=0.01", "ndcg@10>=1"]}
    run = Steps(compile_document(VertexRun.read(write_config(tmp_path, values))), tmp_path)
    _, parameters = run.run("evaluate", model=artifacts["model"], examples=artifacts["examples"])
    assert parameters["blessed"].read_text(encoding="utf-8") == "false"


def test_a_step_that_fails_ends_the_pipeline(pushed, steps, tmp_path):
    artifacts, _ = pushed
    _, values, _ = steps
    run = Steps(compile_document(VertexRun.read(write_config(tmp_path, values))), tmp_path)
    with pytest.raises(AssertionError, match="tandem: error: "):
        run.run("evaluate", model=dsl.Artifact("model", str(tmp_path)), examples=artifacts["examples"])
