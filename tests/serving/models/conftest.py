"""Servers of several models, and what asks them."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

DEADLINE = 60


class Caller:
    """Asks a server of any model, version and label."""

    def __init__(self, channel):
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)

    def version(self, name, **choice) -> int:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        if "label" in choice:
            request.model_spec.version_label = choice["label"]
        if "version" in choice:
            request.model_spec.version.value = choice["version"]
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
        return self._predictions.Predict(request, timeout=DEADLINE).model_spec.version.value

    def states(self, name) -> dict[int, int]:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        response = self._models.GetModelStatus(request, timeout=DEADLINE)
        return {each.version: each.state for each in response.model_version_status}

    def status(self, name, version) -> tuple[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        request.model_spec.version.value = version
        [status] = self._models.GetModelStatus(request, timeout=DEADLINE).model_version_status
        return status.status.error_code, status.status.error_message

    def outputs(self, name, **inputs) -> dict[str, list]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        response = self._predictions.Predict(request, timeout=DEADLINE)
        return {alias: tf.make_ndarray(proto).tolist() for alias, proto in response.outputs.items()}

    def reload(self, *models) -> None:
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.SetInParent()
        for model in models:
            added = request.config.model_config_list.config.add(model_platform="tensorflow")
            labels = model.pop("labels", {})
            versions = model.pop("versions", ())
            for name, value in model.items():
                setattr(added, name, str(value))
            if versions:
                added.model_version_policy.specific.versions.extend(versions)
            added.version_labels.update(labels)
        response = self._models.HandleReloadConfigRequest(request, timeout=DEADLINE)
        assert response.status.error_code == 0


def status_of(call, *arguments, **options) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value.code(), caught.value.details()


def not_found(what) -> tuple[grpc.StatusCode, str]:
    return grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {what}"


def config_text(*models) -> str:
    entries = [f'config {{ model_platform: "tensorflow" {model} }}' for model in models]
    return f"model_config_list {{ {' '.join(entries)} }}"


@pytest.fixture(scope="module")
def folders(half_plus_two, publish, tmp_path_factory):
    """Model `a` with versions 1, 2 and 3, model `b` with version 7."""
    root = tmp_path_factory.mktemp("models")
    for name, versions in {"a": (1, 2, 3), "b": (7,)}.items():
        (root / name).mkdir()
        for version in versions:
            publish(half_plus_two, root / name, version)
    return root


@pytest.fixture
def connect(serve):
    channels = []

    def start(*arguments, **options) -> Caller:
        channel = grpc.insecure_channel(f"localhost:{serve(*arguments, **options).port}")
        channels.append(channel)
        grpc.channel_ready_future(channel).result(timeout=DEADLINE)
        return Caller(channel)

    yield start
    for channel in channels:
        channel.close()
