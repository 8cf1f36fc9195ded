"""The compiled specification, read by KFP's and Google's own parsers."""

import pytest
import yaml
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)
from google.cloud.aiplatform_v1.types import CustomJobSpec, ModelContainerSpec
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.cli import main
from pipelines.vertex.commands import beam_options, server_container
from pipelines.vertex.specification import compile_document
from preprocessing.config import DataConfig
from preprocessing.dataflow import check_dataflow
from preprocessing.schema import parse
from serving.settings import flags
from tests.pipelines.vertex.conftest import IMAGE, config_values, write_config


def executors(specification):
    return specification["deploymentSpec"]["executors"]


def worker_pools(specification):
    train = specification["components"]["comp-train"]
    return train["inputDefinitions"]["parameters"]["worker_pool_specs"]["defaultValue"]


def push_tasks(specification):
    (condition,) = (each for each in specification["components"].values() if "dag" in each)
    return condition["dag"]["tasks"]


def test_kfp_reads_back_what_was_written(tmp_path, monkeypatch, capsys):
    output = tmp_path / "out" / "pipeline.yaml"
    config = write_config(tmp_path, config_values())
    monkeypatch.setattr(
        "sys.argv", ["tandem", "vertex", "compile", "--config", str(config), "--output", str(output)]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code and f"wrote {output}" in capsys.readouterr().out
    loaded = components.load_component_from_file(str(output))
    assert loaded.pipeline_spec.pipeline_info.name == "tandem-my-shop"
    message = json_format.ParseDict(
        next(yaml.safe_load_all(output.read_text(encoding="utf-8"))), pipeline_spec_pb2.PipelineSpec()
    )
    assert message == loaded.pipeline_spec
    assert message.default_pipeline_root == "gs://my-bucket/tandem"


def test_every_step_has_an_image_and_a_command(compiled):
    containers = {
        name: each["container"] for name, each in executors(compiled).items() if "container" in each
    }
    assert {"exec-preprocess", "exec-evaluate", "exec-train", "exec-model-upload"} <= set(containers)
    for container in containers.values():
        assert container["image"] and container["command"]
    assert containers["exec-preprocess"]["image"] == containers["exec-evaluate"]["image"] == IMAGE
    assert worker_pools(compiled)[0]["container_spec"]["image_uri"] == IMAGE


def test_the_pipelines_parameters_have_types(compiled):
    (parameter,) = compiled["root"]["inputDefinitions"]["parameters"].values()
    assert parameter["parameterType"] == "STRING"
    assert yaml.safe_load(parameter["defaultValue"]) == config_values()
    outputs = compiled["components"]["comp-evaluate"]["outputDefinitions"]["parameters"]
    assert {name: each["parameterType"] for name, each in outputs.items()} == {
        "blessed": "BOOLEAN",
        "model_uri": "STRING",
    }


def test_only_what_is_blessed_is_pushed(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    assert set(tasks) == {"preprocess", "train", "evaluate", "condition-1"}
    condition = tasks["condition-1"]
    assert condition["triggerPolicy"]["condition"] == (
        "inputs.parameter_values['pipelinechannel--evaluate-blessed'] == true"
    )
    taken = condition["inputs"]["parameters"]["pipelinechannel--evaluate-blessed"]["taskOutputParameter"]
    assert taken == {"outputParameterKey": "blessed", "producerTask": "evaluate"}
    assert set(push_tasks(compiled)) == {"importer", "model-upload", "endpoint-create", "model-deploy"}


def test_requirements_reach_the_evaluation(compiled):
    arguments = executors(compiled)["exec-evaluate"]["container"]["args"]
    assert arguments[-4:] == ["--require", "ndcg@10>=0.1", "--require", "ndcg@10[unseen]>0"]


def test_examples_are_made_anew_each_time(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    assert not tasks["preprocess"]["cachingOptions"].get("enableCache")
    assert tasks["evaluate"]["cachingOptions"]["enableCache"]


@pytest.mark.parametrize(
    ("train", "machine"),
    [
        ({}, {"machine_type": "n1-standard-8"}),
        (
            {"machine_type": "g2-standard-8", "accelerator": {"type": "NVIDIA_L4", "count": 2}},
            {"machine_type": "g2-standard-8", "accelerator_type": "NVIDIA_L4", "accelerator_count": 2},
        ),
        (
            {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "2x2"},
            {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "2x2"},
        ),
    ],
)
def test_the_custom_job_gets_its_machine(write_run, train, machine):
    kind = "tpu" if "tpu_topology" in train else "mirrored"
    run = write_run(train={"disk": 200, **train}, config={"train": {"distribution": {"kind": kind}}})
    (pool,) = worker_pools(compile_document(run))
    assert pool["machine_spec"] == machine
    # Google's own message takes it.
    job = CustomJobSpec(json_format.ParseDict({"worker_pool_specs": [pool]}, CustomJobSpec.pb()()))
    assert job.worker_pool_specs[0].disk_spec.boot_disk_size_gb == 200
    assert job.worker_pool_specs[0].replica_count == 1


def test_several_machines_are_a_chief_and_workers(write_run):
    """As many pools as Vertex AI makes the `chief` and the `worker` of TF_CONFIG of."""
    distributed = {"train": {"distribution": {"kind": "multi_worker"}}}
    pools = worker_pools(compile_document(write_run(train={"replicas": 3}, config=distributed)))
    assert [pool["replica_count"] for pool in pools] == [1, 2]
    assert pools[0]["container_spec"] == pools[1]["container_spec"]


def test_the_custom_job_runs_as_the_account_and_ends_in_time(write_run):
    specification = compile_document(write_run(train={"hours": 3}))
    inputs = specification["components"]["comp-train"]["inputDefinitions"]["parameters"]
    assert inputs["service_account"]["defaultValue"] == "tandem@my-project.iam.gserviceaccount.com"
    assert inputs["timeout"]["defaultValue"] == "10800s"
    given = specification["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]
    assert given["project"]["runtimeValue"]["constant"] == "my-project"
    assert given["location"]["runtimeValue"]["constant"] == "europe-west4"


def test_beam_takes_the_options_of_dataflow(write_run):
    run = write_run(
        dataflow={"machine_type": "n2-standard-8", "workers": 2, "subnetwork": "regions/r/subnetworks/s"}
    )
    options = PipelineOptions(beam_options(run.vertex))
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert (cloud.project, cloud.region) == ("my-project", "europe-west4")
    assert cloud.temp_location == "gs://my-bucket/tandem/dataflow/temp"
    assert cloud.service_account_email == run.vertex.service_account
    assert (worker.machine_type, worker.num_workers, worker.max_num_workers) == ("n2-standard-8", 2, 10)
    assert (worker.subnetwork, worker.use_public_ips) == ("regions/r/subnetworks/s", False)
    assert worker.sdk_container_image == IMAGE
    # Beam keeps what it does not know under its name, so nothing unknown was given.
    known = set(PipelineOptions().get_all_options(drop_default=False))
    assert set(options.get_all_options(drop_default=True)) <= known
    check_dataflow(parse(DataConfig, config_values()["data"], "data"), beam_options(run.vertex))


def test_dataflow_is_asked_for_by_the_step_or_not_at_all(compiled, write_run):
    arguments = executors(compiled)["exec-preprocess"]["container"]["args"]
    assert "--runner=DataflowRunner" in arguments
    beside = executors(compile_document(write_run(dataflow=None)))["exec-preprocess"]["container"]
    assert not [argument for argument in beside["args"] if argument.startswith("--")]
    assert beside["resources"]["resourceMemoryLimit"] == "16G"


@pytest.mark.parametrize("server", ["tandem", "tensorflow-serving"])
def test_the_server_is_asked_where_it_answers(write_run, server):
    run = write_run(serve={"server": server, "image": IMAGE}, config={"export": {"index": "portable"}})
    container = server_container(run.vertex)
    message = ModelContainerSpec(json_format.ParseDict(container, ModelContainerSpec.pb()()))
    options = flags.parse(container["args"])
    assert message.ports[0].container_port == options.rest_api_port
    assert message.predict_route == f"/v1/models/{options.model_name}:predict"
    assert message.health_route == f"/v1/models/{options.model_name}"
    assert options.model_base_path == "$(AIP_STORAGE_URI)"
    assert (
        list(message.command)
        == {
            "tandem": ["tandem", "serve"],
            "tensorflow-serving": ["tensorflow_model_server"],
        }[server]
    )


def test_the_model_is_deployed_with_all_traffic(compiled):
    deploy = push_tasks(compiled)["model-deploy"]["inputs"]["parameters"]
    given = {name: each["runtimeValue"]["constant"] for name, each in deploy.items()}
    assert given["dedicated_resources_machine_type"] == "n1-standard-4"
    assert (
        given["dedicated_resources_min_replica_count"],
        given["dedicated_resources_max_replica_count"],
    ) == (1, 3)
    assert given["traffic_split"] == {"0": "100"}
    metadata = executors(compiled)["exec-importer"]["importer"]["metadata"]
    assert metadata["containerSpec"]["imageUri"] == IMAGE


def test_an_endpoint_that_is_there_is_used(write_run):
    endpoint = "projects/my-project/locations/europe-west4/endpoints/123"
    specification = compile_document(write_run(serve={"endpoint": endpoint}))
    assert "endpoint-create" not in push_tasks(specification)
    importers = [each["importer"] for each in executors(specification).values() if "importer" in each]
    assert endpoint in [each["metadata"].get("resourceName") for each in importers]
