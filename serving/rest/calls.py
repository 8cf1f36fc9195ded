"""Answers a call: body in, JSON out, with the functions of `inference` in between."""

from __future__ import annotations

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.errors import ServingError
from serving.inference import api
from serving.models.manager import ModelManager
from serving.models.signatures import DEFAULT_SIGNATURE
from serving.rest import documents, examples, predict_requests, responses
from serving.rest.paths import Call


def answer(manager: ModelManager, call: Call, body: bytes, timeout_s: float | None = None) -> bytes:
    """Answers a call.

    Args:
        manager: the models.
        call: what the request line asks for.
        body: the request's body.
        timeout_s: after how long a graph need not begin to run any more; None is never.

    Returns:
        The JSON of the answer.

    Raises:
        ServingError: it cannot be answered.
    """
    try:
        return _ANSWERS[call.api](manager, call.model_spec, body, timeout_s)
    except RecursionError as error:
        raise ServingError("JSON Parse error: Nested too deep.") from error


def _predict(manager: ModelManager, spec: model_pb2.ModelSpec, body: bytes, timeout_s: float | None) -> bytes:
    request = predict_pb2.PredictRequest(model_spec=spec)
    document = documents.read(body, request.model_spec)
    inputs = _inputs(manager, request.model_spec)
    if predict_requests.is_row_form(document):
        tensors, write = predict_requests.from_rows(document, inputs), responses.predictions
    else:
        tensors, write = predict_requests.from_columns(document, inputs), responses.outputs
    for name, tensor in tensors.items():
        request.inputs[name].CopyFrom(tensor)
    return write(api.predict(manager, request, tensor_content=True, timeout_s=timeout_s))


def _inputs(manager: ModelManager, spec: model_pb2.ModelSpec) -> predict_requests.Inputs:
    """Looks up what the inputs of the requested signature are."""
    name = spec.signature_name or DEFAULT_SIGNATURE
    with manager.acquire(spec) as servable:
        if name not in servable.model.signatures:
            raise ServingError(f'Serving signature name: "{name}" not found in signature def')
        inputs = dict(servable.model.signatures[name].inputs)
    if not inputs:
        raise ServingError(f"Failed to get input map for signature: {spec.signature_name or 'DEFAULT'}")
    return inputs


def _classify(
    manager: ModelManager, spec: model_pb2.ModelSpec, body: bytes, timeout_s: float | None
) -> bytes:
    request = classification_pb2.ClassificationRequest(model_spec=spec)
    document = documents.read(body, request.model_spec)
    request.input.CopyFrom(examples.to_input(document))
    return responses.classifications(api.classify(manager, request, timeout_s=timeout_s))


def _regress(manager: ModelManager, spec: model_pb2.ModelSpec, body: bytes, timeout_s: float | None) -> bytes:
    request = regression_pb2.RegressionRequest(model_spec=spec)
    document = documents.read(body, request.model_spec)
    request.input.CopyFrom(examples.to_input(document))
    return responses.regressions(api.regress(manager, request, timeout_s=timeout_s))


def _status(manager: ModelManager, spec: model_pb2.ModelSpec, body: bytes, timeout_s: float | None) -> bytes:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
    return responses.status(api.model_status(manager, request))


def _metadata(
    manager: ModelManager, spec: model_pb2.ModelSpec, body: bytes, timeout_s: float | None
) -> bytes:
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec, metadata_field=["signature_def"]
    )
    return responses.metadata(api.get_model_metadata(manager, request))


_ANSWERS = {
    "Predict": _predict,
    "Classify": _classify,
    "Regress": _regress,
    "GetModelStatus": _status,
    "GetModelMetadata": _metadata,
}
