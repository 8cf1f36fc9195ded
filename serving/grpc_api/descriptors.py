"""What gRPC's reflection tells of TensorFlow Serving's services.

The pip package's own descriptions of the services, `prediction_service_pb2` and `model_service_pb2`, fail on
import with any recent protobuf; those of the messages work, and so do the stubs.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor, descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

_PREDICTION_METHODS = {
    "Classify": (classification_pb2.ClassificationRequest, classification_pb2.ClassificationResponse),
    "Regress": (regression_pb2.RegressionRequest, regression_pb2.RegressionResponse),
    "Predict": (predict_pb2.PredictRequest, predict_pb2.PredictResponse),
    "MultiInference": (inference_pb2.MultiInferenceRequest, inference_pb2.MultiInferenceResponse),
    "GetModelMetadata": (
        get_model_metadata_pb2.GetModelMetadataRequest,
        get_model_metadata_pb2.GetModelMetadataResponse,
    ),
}
_MODEL_METHODS = {
    "GetModelStatus": (
        get_model_status_pb2.GetModelStatusRequest,
        get_model_status_pb2.GetModelStatusResponse,
    ),
    "HandleReloadConfigRequest": (
        model_management_pb2.ReloadConfigRequest,
        model_management_pb2.ReloadConfigResponse,
    ),
}


def pool() -> descriptor_pool.DescriptorPool:
    """Makes a pool of every message and service that the server offers."""
    made = descriptor_pool.DescriptorPool()
    added: set[str] = set()
    _add(made, health_pb2.DESCRIPTOR, added)
    _add(made, reflection_pb2.DESCRIPTOR, added)
    for path, name, methods in (
        ("tensorflow_serving/apis/prediction_service.proto", PREDICTION_SERVICE, _PREDICTION_METHODS),
        ("tensorflow_serving/apis/model_service.proto", MODEL_SERVICE, _MODEL_METHODS),
    ):
        for messages in methods.values():
            for message in messages:
                _add(made, message.DESCRIPTOR.file, added)
        made.AddSerializedFile(_service_file(path, name, methods).SerializeToString())
    return made


def _add(made: descriptor_pool.DescriptorPool, file: descriptor.FileDescriptor, added: set[str]) -> None:
    """Adds a file after those it depends on."""
    if file.name in added:
        return
    for dependency in file.dependencies:
        _add(made, dependency, added)
    made.AddSerializedFile(file.serialized_pb)
    added.add(file.name)


def _service_file(
    path: str, full_name: str, methods: dict[str, tuple[Any, Any]]
) -> descriptor_pb2.FileDescriptorProto:
    package, _, name = full_name.rpartition(".")
    service = descriptor_pb2.ServiceDescriptorProto(name=name)
    dependencies = set()
    for method, messages in methods.items():
        request, response = (message.DESCRIPTOR for message in messages)
        dependencies |= {request.file.name, response.file.name}
        service.method.add(
            name=method, input_type=f".{request.full_name}", output_type=f".{response.full_name}"
        )
    return descriptor_pb2.FileDescriptorProto(
        name=path, package=package, syntax="proto3", dependency=sorted(dependencies), service=[service]
    )
