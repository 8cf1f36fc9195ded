"""The pipeline: preprocess, train and export, evaluate, and push what is blessed."""

import re
from collections.abc import Callable
from typing import Any

import yaml
from google.protobuf import json_format
from google_cloud_pipeline_components.types.artifact_types import UnmanagedContainerModel, VertexEndpoint
from google_cloud_pipeline_components.v1.custom_job import create_custom_training_job_from_component
from google_cloud_pipeline_components.v1.endpoint import EndpointCreateOp, ModelDeployOp
from google_cloud_pipeline_components.v1.model import ModelUploadOp
from kfp import components, dsl

from pipelines.vertex.commands import EVALUATE, PREPROCESS, TRAIN, beam_options, server_container, shell
from pipelines.vertex.config import VertexConfig, VertexRun

# Annotations are what KFP makes components of, so they must not become texts here
# (`from __future__ import annotations`).

ENDPOINTS = "https://{region}-aiplatform.googleapis.com/v1/{name}"


def pipeline_name(run: VertexRun) -> str:
    """The pipeline's name, as Vertex AI allows it."""
    return f"tandem-{re.sub(r'[^a-z0-9]+', '-', run.name.lower()).strip('-')}"[:128].rstrip("-")


def make_pipeline(run: VertexRun) -> Any:
    """Makes the KFP pipeline of a config; its one parameter is the config's text."""
    vertex = run.vertex
    preprocess, train, evaluate = preprocess_step(vertex), train_step(vertex), evaluate_step(run)

    @dsl.pipeline(name=pipeline_name(run), pipeline_root=vertex.staging)
    def tandem(config: str = run.document) -> None:
        """From raw tables to an endpoint, if the model holds what is required of it."""
        examples = preprocess(config=config)
        # The tables may have changed under the same config.
        examples.set_caching_options(False)
        _on(examples, vertex)
        trained = train(
            config=examples.outputs["written"],
            examples=examples.outputs["examples"],
            project=vertex.project,
            location=vertex.region,
        ).set_display_name("train")
        judged = evaluate(model=trained.outputs["model"], examples=examples.outputs["examples"])
        _on(judged, vertex)
        with dsl.If(judged.outputs["blessed"] == True, name="blessed"):  # noqa: E712 (KFP's comparison)
            _push(run, judged.outputs["model_uri"])

    return tandem


def preprocess_step(vertex: VertexConfig) -> Callable[..., Any]:
    """Raw tables to examples, by Apache Beam."""
    workers, options = str(vertex.step.cpu), beam_options(vertex)

    @dsl.container_component
    def preprocess(
        config: str, examples: dsl.Output[dsl.Dataset], written: dsl.Output[dsl.Artifact]
    ) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=vertex.image,
            command=shell(PREPROCESS),
            args=["preprocess", config, examples.path, written.path, workers, *options],
        )

    return preprocess


def train_step(vertex: VertexConfig) -> Callable[..., Any]:
    """Examples to a folder of versions, as a custom job."""

    @dsl.container_component
    def train(
        config: dsl.Input[dsl.Artifact],
        examples: dsl.Input[dsl.Dataset],
        training: dsl.Output[dsl.Artifact],
        model: dsl.Output[dsl.Model],
    ) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=vertex.image,
            command=shell(TRAIN),
            args=["train", config.path, examples.path, training.path, model.path],
        )

    settings = vertex.train
    job = create_custom_training_job_from_component(
        train,
        display_name="tandem-train",
        machine_type=settings.machine_type,
        replica_count=settings.replicas,
        accelerator_type=settings.accelerator.type if settings.accelerator else "",
        accelerator_count=settings.accelerator.count if settings.accelerator else 0,
        boot_disk_size_gb=settings.disk,
        timeout=f"{settings.hours * 3600}s",
        service_account=vertex.service_account or "",
    )
    return _with_tpu(job, settings.tpu_topology) if settings.tpu_topology else job


def _with_tpu(job: Any, topology: str) -> Callable[..., Any]:
    """A custom job on TPUs, for which Google's own helper has no parameter."""
    specification = json_format.MessageToDict(job.pipeline_spec)
    inputs = [component["inputDefinitions"] for component in specification["components"].values()]
    for definitions in (*inputs, specification["root"]["inputDefinitions"]):
        for pool in definitions["parameters"]["worker_pool_specs"]["defaultValue"]:
            pool["machine_spec"]["tpu_topology"] = topology
    changed = components.load_component_from_text(yaml.safe_dump(specification))
    changed.component_spec.name = job.component_spec.name
    return changed


def evaluate_step(run: VertexRun) -> Callable[..., Any]:
    """A folder of versions to a report and a blessing."""
    requirements = [word for requirement in run.require for word in ("--require", requirement)]

    @dsl.container_component
    def evaluate(
        model: dsl.Input[dsl.Model],
        examples: dsl.Input[dsl.Dataset],
        report: dsl.Output[dsl.Artifact],
        blessed: dsl.OutputPath(bool),  # type: ignore[valid-type]
        model_uri: dsl.OutputPath(str),  # type: ignore[valid-type]
    ) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=run.vertex.image,
            command=shell(EVALUATE),
            args=[
                "evaluate",
                model.path,
                examples.path,
                report.path,
                blessed,
                model_uri,
                model.uri,
                *requirements,
            ],
        )

    return evaluate


def _on(task: Any, vertex: VertexConfig) -> None:
    task.set_cpu_limit(str(vertex.step.cpu)).set_memory_limit(f"{vertex.step.memory}G")


def _push(run: VertexRun, model_uri: Any) -> None:
    """Uploads the model and moves all traffic of the endpoint to it."""
    vertex, serve = run.vertex, run.vertex.serve
    name = pipeline_name(run)
    served = dsl.importer(
        artifact_uri=model_uri,
        artifact_class=UnmanagedContainerModel,
        metadata={"containerSpec": server_container(vertex)},
    )
    uploaded = ModelUploadOp(
        display_name=name,
        unmanaged_container_model=served.output,
        project=vertex.project,
        location=vertex.region,
    )
    if serve.endpoint is None:
        endpoint = EndpointCreateOp(
            display_name=name, project=vertex.project, location=vertex.region
        ).outputs["endpoint"]
    else:
        endpoint = dsl.importer(
            artifact_uri=ENDPOINTS.format(region=vertex.region, name=serve.endpoint),
            artifact_class=VertexEndpoint,
            metadata={"resourceName": serve.endpoint},
        ).output
    ModelDeployOp(
        model=uploaded.outputs["model"],
        endpoint=endpoint,
        dedicated_resources_machine_type=serve.machine_type,
        dedicated_resources_min_replica_count=serve.minimum_replicas,
        dedicated_resources_max_replica_count=serve.maximum_replicas,
        traffic_split={"0": "100"},
        service_account=vertex.service_account or "",
    )
