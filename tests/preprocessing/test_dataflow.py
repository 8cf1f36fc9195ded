"""What Dataflow needs is checked before anything starts; Dataflow's own translation takes the graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing.config import DataConfig
from preprocessing.dataflow import check_dataflow
from preprocessing.graph import Graph
from preprocessing.plan import make_plan
from preprocessing.runner import shuffle_beside
from preprocessing.schema import InputError, parse

GOOD = (
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=europe-west4",
    "--temp_location=gs://my-bucket/temp",
    "--sdk_container_image=europe-docker.pkg.dev/my-project/tandem/tandem:1",
)


def config(path: str = "gs://my-bucket/interactions.csv") -> DataConfig:
    columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}
    return parse(DataConfig, {"interactions": {"path": path, "columns": columns}}, "data")


def problems(options: Sequence[str], data: DataConfig | None = None) -> list[str]:
    with pytest.raises(InputError) as error:
        check_dataflow(data or config(), options)
    return [line.removeprefix("beam options for DataflowRunner: ") for line in str(error.value).splitlines()]


def changed(name: str, *values: str) -> list[str]:
    return [option for option in GOOD if not option.startswith(f"--{name}=")] + list(values)


def test_everything_that_is_missing_is_named_at_once() -> None:
    found = problems(["--runner=DataflowRunner"], config("interactions.csv"))
    starts = [
        "--project=… is missing",
        "--region=… is missing",
        "--temp_location=gs://BUCKET/FOLDER is missing",
        "the workers need Tandem: give --sdk_container_image=",
        "interactions: interactions.csv is not where the workers can read it",
    ]
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("name", "option", "problem"),
    [
        ("project", "--project=12345", "--project=12345 is no project id"),
        ("project", "--project=My Project", "--project=My Project is no project id"),
        ("temp_location", "--temp_location=/tmp", "--temp_location=/tmp must be a folder in a bucket"),
        ("temp_location", "--temp_location=gs://my-bucket", "--temp_location=gs://my-bucket must be"),
        ("", "--staging_location=s3://a/b", "--staging_location=s3://a/b must be a folder in a bucket"),
        ("", "--machine_typ=n2", "--machine_typ is no option of Beam (did you mean --machine_type?)"),
        ("sdk_container_image", "--setup_file=/no/setup.py", "--setup_file=/no/setup.py: no such file"),
        ("sdk_container_image", "--extra_package=no.whl", "--extra_package=no.whl: no such file"),
    ],
)
def test_options_that_dataflow_cannot_use(name: str, option: str, problem: str) -> None:
    (found,) = problems(changed(name, option))
    assert found.startswith(problem)


def test_the_command_stops_before_it_reads_anything(project: Any) -> None:
    with pytest.raises(InputError, match=r"--region=… is missing"):
        project.preprocess(beam_options=["--runner=DataflowRunner"])
    assert not list(project.folder.iterdir())


def test_other_runners_are_not_checked() -> None:
    check_dataflow(config("interactions.csv"), [])
    check_dataflow(config("interactions.csv"), ["--runner=PortableRunner", "--flink_master=x"])


@pytest.mark.parametrize("package", ["setup_file", "extra_package"])
def test_a_package_instead_of_an_image(package: str, tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    check_dataflow(config(), changed("sdk_container_image", f"--{package}={tmp_path / 'setup.py'}"))


def test_dataflow_translates_the_whole_graph(project: Any) -> None:
    check_dataflow(config(), GOOD)
    project.write("interactions.csv", "user_id,item_id,rating,time\nu,i,1,1\n")
    project.write("items.csv", "item_id,title\ni,Toy\n")
    items = {"path": "items.csv", "columns": {"item_id": {"kind": "id"}, "title": {"kind": "text"}}}
    data = project.config(items=items, split={"kind": "temporal"}, filters={"k_core": 2})
    pipeline = beam.Pipeline(options=PipelineOptions([*GOOD, "--dry_run=True"]))
    root = "gs://my-bucket/temp/examples"
    with shuffle_beside(root) as shuffle:
        Graph(pipeline, make_plan(data, project.folder), root, shuffle).lay()
    pipeline.run()
    components = pipeline.runner.proto_pipeline.components
    steps = {transform.unique_name.split("/")[0] for transform in components.transforms.values()}
    assert {"BuildHistories", "KCore", "WriteShard", "WriteSummary"} <= steps
    (environment,) = components.environments.values()
    assert environment.urn == "beam:env:docker:v1"
    assert b"tandem/tandem:1" in environment.payload
