"""The `train.distribution:` section of a config: each kind has the settings that mean something in it."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import pydantic

from preprocessing.schema import Document

CLUSTER = "TF_CONFIG"
"""The environment variable that names the processes of a cluster, and which of them this one is."""


class OneConfig(Document):
    """One device does each step: the first GPU, or else all cores of the CPU."""

    kind: Literal["one"] = "one"


class ReplicasConfig(Document):
    """What all kinds with several replicas have in common.

    Attributes:
      id_tables: `replicated`: each replica holds the embeddings of all items and users; `sharded`: their
        rows are divided among the replicas, with what the optimizer and the average keep of each, which needs
        sampled negatives.
    """

    id_tables: Literal["replicated", "sharded"] = "replicated"


class MirroredConfig(ReplicasConfig):
    """The devices of this machine do each step together.

    Attributes:
      devices: so many GPUs or, on a machine without one, parts of the CPU; all GPUs when not given.
    """

    kind: Literal["mirrored"]
    devices: pydantic.PositiveInt | None = None


class MultiWorkerConfig(ReplicasConfig):
    """Several processes do each step together, each with all GPUs of its machine or with its CPU.

    Attributes:
      workers: processes that are started on this machine; where the environment variable `TF_CONFIG` names a
        cluster, as on Vertex AI, this process is one of that cluster's instead.
    """

    kind: Literal["multi_worker"]
    workers: pydantic.PositiveInt = 2


class TpuConfig(ReplicasConfig):
    """The cores of a TPU do each step together.

    Attributes:
      address: of the TPU, `grpc://…` or its name; `local` is that of this machine.
    """

    kind: Literal["tpu"]
    address: str = "local"


def are_on_tpu(config: AnyDistributionConfig) -> bool:
    """Whether a TPU is asked to hold the tables of item and user IDs its own way."""
    return isinstance(config, TpuConfig) and are_sharded(config)


def are_sharded(config: AnyDistributionConfig) -> bool:
    """Whether the tables of item and user IDs are asked to be divided among replicas."""
    return isinstance(config, ReplicasConfig) and config.id_tables == "sharded"


AnyDistributionConfig = Annotated[
    OneConfig | MirroredConfig | MultiWorkerConfig | TpuConfig, pydantic.Field(discriminator="kind")
]


def is_in_cluster(config: AnyDistributionConfig) -> bool:
    """Whether this process was started as one of several workers."""
    return isinstance(config, MultiWorkerConfig) and bool(os.environ.get(CLUSTER))
