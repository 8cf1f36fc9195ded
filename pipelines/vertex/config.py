"""The `vertex:` section of a config, and what else of it matters on Vertex AI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from pipelines.config import EvaluateConfig, RunConfig
from preprocessing.schema import Document, InputError, parse, read_config_mapping

Project = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
Region = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+$")]
Bucket = Annotated[
    str, pydantic.StringConstraints(pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^\s]*)?$")
]
Image = Annotated[
    str,
    pydantic.StringConstraints(
        pattern=r"^([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io)/[^\s:@]+(:[\w.-]+|@sha256:[0-9a-f]{64})$"
    ),
]
Account = Annotated[str, pydantic.StringConstraints(pattern=r"^[^@\s]+@[a-z0-9.-]+\.gserviceaccount\.com$")]
Machine = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$")]

_ALLOWED = {
    "project": "the id of a Google Cloud project, such as my-project",
    "region": "a region, such as europe-west4",
    "staging": "a bucket or a folder in one, such as gs://my-bucket/tandem",
    "image": "an image with a tag or digest in Artifact Registry, such as "
    "europe-west4-docker.pkg.dev/my-project/tandem/tandem:0.1.0",
    "service_account": "its address, such as tandem@my-project.iam.gserviceaccount.com",
    "machine_type": "a machine type, such as n1-standard-8",
    "endpoint": "projects/PROJECT/locations/REGION/endpoints/ID",
    "subnetwork": "regions/REGION/subnetworks/NAME or its https:// address",
}


class DataflowConfig(Document):
    """Apache Beam's workers on Dataflow.

    Attributes:
      region: of the workers; that of the pipeline when not given.
      workers: to begin with; Dataflow adds more up to `maximum_workers`.
      subnetwork: that the workers are in, `regions/REGION/subnetworks/NAME`.
    """

    region: Region | None = None
    machine_type: Machine = "n1-standard-4"
    workers: pydantic.PositiveInt = 1
    maximum_workers: pydantic.PositiveInt = 10
    subnetwork: Annotated[str, pydantic.StringConstraints(pattern=r"^(https://|regions/)\S+$")] | None = None

    @pydantic.model_validator(mode="after")
    def _workers_within_their_maximum(self) -> DataflowConfig:
        if self.workers > self.maximum_workers:
            raise ValueError(
                f"workers ({self.workers}) must not be above maximum_workers ({self.maximum_workers})"
            )
        return self


class AcceleratorConfig(Document):
    """GPUs of a machine; `type` is Vertex AI's name, such as `NVIDIA_L4`."""

    type: Annotated[str, pydantic.StringConstraints(pattern=r"^NVIDIA_[A-Z0-9_]+$")]
    count: pydantic.PositiveInt = 1


class TrainingConfig(Document):
    """The custom job that trains.

    Attributes:
      machine_type: of the worker.
      accelerator: its GPUs.
      tpu_topology: of a TPU machine (`ct5lp-hightpu-4t` and the like), such as `2x2`.
      replicas: machines that train together, with `train.distribution: {kind: multi_worker}`.
      disk: of a machine, in GB.
      hours: after so many the job is ended.
    """

    machine_type: Machine = "n1-standard-8"
    accelerator: AcceleratorConfig | None = None
    tpu_topology: Annotated[str, pydantic.StringConstraints(pattern=r"^\d+x\d+(x\d+)?$")] | None = None
    replicas: pydantic.PositiveInt = 1
    disk: Annotated[int, pydantic.Field(ge=100)] = 100
    hours: pydantic.PositiveInt = 24

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        is_tpu = self.machine_type.startswith("ct")
        if self.accelerator and (is_tpu or self.tpu_topology):
            raise ValueError(
                "accelerator is for GPUs and does not go with a TPU (tpu_topology, or a machine_type ct…); "
                "give one of them"
            )
        if is_tpu != (self.tpu_topology is not None):
            raise ValueError(
                f"a TPU needs both a machine_type such as ct5lp-hightpu-4t (found {self.machine_type}) and "
                f"a tpu_topology such as 2x2 (found {self.tpu_topology})"
            )
        return self


class ServingConfig(Document):
    """The endpoint.

    Attributes:
      server: `tandem`: the Tandem server; `tensorflow-serving`: the stock one, for a portable index.
      image: of the server; for `tandem` it is `vertex.image` when not given.
      minimum_replicas, maximum_replicas: machines that serve.
      endpoint: that is there already, `projects/…/locations/…/endpoints/…`; a new one is made when not given.
    """

    server: Literal["tandem", "tensorflow-serving"] = "tandem"
    image: Image | None = None
    machine_type: Machine = "n1-standard-4"
    minimum_replicas: pydantic.PositiveInt = 1
    maximum_replicas: pydantic.PositiveInt = 3
    endpoint: (
        Annotated[
            str, pydantic.StringConstraints(pattern=r"^projects/[^/\s]+/locations/[^/\s]+/endpoints/\d+$")
        ]
        | None
    ) = None

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> ServingConfig:
        if self.minimum_replicas > self.maximum_replicas:
            raise ValueError(
                f"minimum_replicas ({self.minimum_replicas}) must not be above maximum_replicas "
                f"({self.maximum_replicas})"
            )
        if self.server == "tensorflow-serving" and self.image is None:
            raise ValueError(
                "image: Vertex AI serves from Artifact Registry alone; copy tensorflow/serving there, name it"
            )
        return self


class StepConfig(Document):
    """The machine of a step that is no job of its own: preprocessing's driver, and evaluation.

    Attributes:
      cpu: cores.
      memory: in GB.
    """

    cpu: pydantic.PositiveInt = 4
    memory: pydantic.PositiveInt = 16


class VertexConfig(Document):
    """The `vertex:` section of a config.

    Attributes:
      project, region: where everything runs.
      staging: a bucket, or a folder in one, for all that the pipeline leaves.
      image: Tandem's, see `pipelines/vertex/Dockerfile`.
      service_account: as whom everything runs; the project's default when not given.
      step: the machine of steps that are no jobs of their own.
      dataflow: where Apache Beam runs; with `null` it runs in the step itself, on all its cores.
      train: the custom job.
      serve: the endpoint.
    """

    project: Project
    region: Region
    staging: Bucket
    image: Image
    service_account: Account | None = None
    step: StepConfig = StepConfig()
    dataflow: DataflowConfig | None = DataflowConfig()
    train: TrainingConfig = TrainingConfig()
    serve: ServingConfig = ServingConfig()


@dataclass(frozen=True)
class VertexRun:
    """A config that is fit to be run on Vertex AI.

    Attributes:
      name: of the data set.
      vertex: the `vertex:` section.
      require: what a model must reach to be pushed.
      document: the whole config without `extends`, as JSON, which is YAML too: KFP writes a default into
        a comment, which must not have several lines.
    """

    name: str
    vertex: VertexConfig
    require: tuple[str, ...]
    document: str

    @classmethod
    def read(cls, path: Path) -> VertexRun:
        """Reads and checks a config.

        Raises:
          InputError: anything that is not allowed, a file that the cloud cannot read, or a stock server for
            an index that it cannot load.
        """
        run, values = RunConfig.read(path), read_config_mapping(path)
        if not isinstance(values.get("vertex"), dict):
            raise InputError(
                f"{path}: the section vertex: is missing; it needs project, region, staging and image"
            )
        vertex = _parse_vertex(values["vertex"], str(path))
        if vertex.serve.server == "tensorflow-serving" and run.trainer.export.index != "portable":
            raise InputError(
                f"{path}: vertex.serve.server: tensorflow-serving cannot load export.index: "
                f"{run.trainer.export.index}; set export.index: portable, or server: tandem"
            )
        _check_distribution(vertex.train, run.trainer.train.distribution.kind, str(path))
        problems = [f"{path}: {problem}" for problem in _unreachable(values["data"], ("data",))]
        if problems:
            raise InputError("\n".join(problems))
        require = parse(EvaluateConfig, values.get("evaluate") or {}, f"{path}: evaluate").require
        document = json.dumps({"name": run.name, **values}, ensure_ascii=False)
        return cls(run.name, vertex, require, document)


def _parse_vertex(values: dict[str, Any], where: str) -> VertexConfig:
    try:
        return parse(VertexConfig, values, f"{where}: vertex")
    except InputError as error:
        # A pattern tells a person nothing; an example does.
        raise InputError("\n".join(_with_example(line, where) for line in str(error).splitlines())) from None


def _check_distribution(machines: TrainingConfig, kind: str, where: str) -> None:
    """Refuses machines that the trainer would not use.

    Raises:
      InputError: several machines or a TPU without the distribution that is for them, or the other way round.
    """
    for what, there, needed in (
        (f"vertex.train.replicas: {machines.replicas}", machines.replicas > 1, "multi_worker"),
        ("vertex.train.tpu_topology", machines.tpu_topology is not None, "tpu"),
    ):
        if there and kind != needed:
            raise InputError(f"{where}: {what} needs train.distribution.kind: {needed} (found {kind})")
    if kind == "tpu" and machines.tpu_topology is None:
        raise InputError(f"{where}: train.distribution.kind: tpu needs vertex.train.tpu_topology")


def _with_example(line: str, where: str) -> str:
    place, _, message = line.removeprefix(f"{where}: vertex: ").partition(": ")
    allowed = _ALLOWED.get(place.rsplit(".", 1)[-1])
    if allowed is None or "String should match pattern" not in message:
        return line
    found = message[message.index("(found") :] if "(found" in message else ""
    return f"{where}: vertex: {place}: expected {allowed} {found}".rstrip()


def _unreachable(node: Any, place: tuple[str, ...]) -> Iterator[str]:
    """Every `path` that only this machine has."""
    for key, value in node.items() if isinstance(node, dict) else ():
        here = (*place, key)
        if key != "path" or not isinstance(value, str):
            yield from _unreachable(value, here)
        elif place == ("data", "language_model"):
            if not value.startswith(("asset://", "/")):
                allowed = "give asset://NAME or an absolute path in it"
                yield f"{'.'.join(here)}: {value} is not in the image; {allowed}"
        elif not value.startswith("gs://"):
            yield f"{'.'.join(here)}: {value} cannot be read there; copy it to a bucket and give gs://…"
