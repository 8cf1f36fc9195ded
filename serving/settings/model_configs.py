"""What to serve: TensorFlow Serving's `ModelServerConfig`, checked as its server checks it."""

from __future__ import annotations

import dataclasses
import logging
import posixpath
from collections.abc import Mapping, Sequence

from tensorflow_serving.config import file_system_storage_path_source_pb2, model_server_config_pb2

from serving.errors import Code, ServingError
from serving.models import versions

log = logging.getLogger(__name__)

_TENSORFLOW = "tensorflow"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    Attributes:
        name: what requests call it.
        base_path: the folder above its versions.
        policy: which of the versions found to serve.
        labels: names that requests may use instead of version numbers.
    """

    name: str
    base_path: str
    policy: versions.VersionPolicy = dataclasses.field(default_factory=versions.Latest)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


def from_proto(config: model_server_config_pb2.ModelServerConfig) -> Sequence[ModelConfig]:
    """Reads which models to serve.

    Raises:
        ServingError: the config is none that can be served; in TensorFlow Serving's words.
    """
    if config.HasField("custom_model_config"):
        raise ServingError("ModelServer does not yet support custom model config.", Code.UNIMPLEMENTED)
    seen = set()
    for model in config.model_config_list.config:
        if model.name in seen:
            raise ServingError(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    models = [_model(model) for model in config.model_config_list.config]
    for model in config.model_config_list.config:
        if model.HasField("logging_config"):
            log.warning("logging_config of model %s has no effect here: requests are not logged", model.name)
    return models


def _model(model: model_server_config_pb2.ModelConfig) -> ModelConfig:
    _check_path(model)
    _check_platform(model)
    return ModelConfig(
        model.name, model.base_path, _policy(model.model_version_policy), dict(model.version_labels)
    )


def _check_path(model: model_server_config_pb2.ModelConfig) -> None:
    if "://" not in model.base_path and not posixpath.isabs(model.base_path):
        raise ServingError(
            f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
        )


def _check_platform(model: model_server_config_pb2.ModelConfig) -> None:
    kinds = model_server_config_pb2.ModelType
    if model.model_type != kinds.Value("MODEL_TYPE_UNSPECIFIED"):
        if model.model_platform:
            raise ServingError(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                "ModelServerConfig::model_platform."
            )
        if model.model_type != kinds.Value("TENSORFLOW"):
            raise ServingError(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    elif not model.model_platform:
        raise ServingError(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform."
        )
    elif model.model_platform != _TENSORFLOW:
        raise ServingError(f"Model {model.name} requests unsupported platform {model.model_platform}")


def _policy(
    policy: file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy,
) -> versions.VersionPolicy:
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return versions.every
    if choice == "specific":
        return versions.Specific(frozenset(policy.specific.versions))
    return versions.Latest(max(policy.latest.num_versions, 1))
