"""TensorFlow Serving's methods as functions from request to response; gRPC and REST only translate.

Each raises `ServingError` with TensorFlow Serving's status code and text. Whoever calls one for a client
tells `manager.events` a `RequestDone` afterwards.
"""

from __future__ import annotations

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving import tensors
from serving.errors import Code, ServingError, shorten
from serving.inference import methods
from serving.models.manager import ModelManager
from serving.models.runs import Run
from serving.models.servables import Servable
from serving.models.signatures import DEFAULT_SIGNATURE
from serving.monitoring.events import GraphRun
from serving.settings import model_configs

_SIGNATURE_DEF = "signature_def"


def predict(
    manager: ModelManager,
    request: predict_pb2.PredictRequest,
    *,
    tensor_content: bool = False,
    timeout_s: float | None = None,
) -> predict_pb2.PredictResponse:
    """Runs one signature on tensors.

    Args:
        manager: the models.
        request: as it came.
        tensor_content: answers in `tensor_content` instead of the typed fields.
        timeout_s: what has not begun to run by then is refused.

    Raises:
        ServingError: it cannot be answered.
    """
    if not request.HasField("model_spec"):
        raise ServingError("Missing ModelSpec")
    run = Run.within(timeout_s)
    write = tensors.write_content if tensor_content else tensors.write_fields
    with manager.acquire(request.model_spec) as servable:
        response = methods.predict(servable.model, request, write, run)
    manager.events.tell(GraphRun("Predict", servable.name, run.seconds))
    _set_spec(response.model_spec, servable, request.model_spec.signature_name)
    return response


def classify(
    manager: ModelManager,
    request: classification_pb2.ClassificationRequest,
    *,
    timeout_s: float | None = None,
) -> classification_pb2.ClassificationResponse:
    """Classifies Examples with a signature whose method is `tensorflow/serving/classify`.

    Raises:
        ServingError: it cannot be answered.
    """
    if not request.HasField("model_spec"):
        raise ServingError("Missing ModelSpec")
    run = Run.within(timeout_s)
    with manager.acquire(request.model_spec) as servable:
        result = methods.classify(servable.model, request, run)
    manager.events.tell(GraphRun("Classify", servable.name, run.seconds, run.examples))
    response = classification_pb2.ClassificationResponse(result=result)
    _set_spec(response.model_spec, servable, request.model_spec.signature_name)
    return response


def regress(
    manager: ModelManager, request: regression_pb2.RegressionRequest, *, timeout_s: float | None = None
) -> regression_pb2.RegressionResponse:
    """Gives a value for each Example with a signature whose method is `tensorflow/serving/regress`.

    Raises:
        ServingError: it cannot be answered.
    """
    if not request.HasField("model_spec"):
        raise ServingError("Missing ModelSpec")
    run = Run.within(timeout_s)
    with manager.acquire(request.model_spec) as servable:
        result = methods.regress(servable.model, request, run)
    manager.events.tell(GraphRun("Regress", servable.name, run.seconds, run.examples))
    response = regression_pb2.RegressionResponse(result=result)
    _set_spec(response.model_spec, servable, request.model_spec.signature_name)
    return response


def multi_inference(
    manager: ModelManager, request: inference_pb2.MultiInferenceRequest, *, timeout_s: float | None = None
) -> inference_pb2.MultiInferenceResponse:
    """Classifies and regresses the same Examples in one run of the graph.

    The model is the one that the first task names.

    Raises:
        ServingError: it cannot be answered.
    """
    spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
    run = Run.within(timeout_s)
    with manager.acquire(spec) as servable:
        results = methods.multi_inference(servable.model, request, run)
    manager.events.tell(GraphRun("MultiInference", servable.name, run.seconds, run.examples))
    response = inference_pb2.MultiInferenceResponse(results=results)
    for task, result in zip(request.tasks, response.results, strict=True):
        _set_spec(result.model_spec, servable, task.model_spec.signature_name)
    return response


def get_model_metadata(
    manager: ModelManager, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Gives the signatures, the only metadata field there is.

    Raises:
        ServingError: another field is asked for, or the model is not there.
    """
    if not request.HasField("model_spec"):
        raise ServingError("Missing ModelSpec")
    if not request.metadata_field:
        raise ServingError("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != _SIGNATURE_DEF:
            # TensorFlow Serving never fills in its %s; its clients see the text like this.
            raise ServingError(f"Metadata field %s is not supported{field}")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    signature_map = get_model_metadata_pb2.SignatureDefMap()
    with manager.acquire(request.model_spec) as servable:
        for name, definition in servable.model.signatures.items():
            signature_map.signature_def[name].CopyFrom(definition)
    response.metadata[_SIGNATURE_DEF].Pack(signature_map)
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    return response


def model_status(
    manager: ModelManager, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Gives the state of one version, or of every version ever seen, the highest first.

    Version 0 is every version too, unless there is such a one; see `servables.Model.acquire`.

    Raises:
        ServingError: NOT_FOUND if there never was any.
    """
    if not request.HasField("model_spec"):
        raise ServingError("Missing ModelSpec")
    spec = request.model_spec
    statuses = manager.statuses(spec.name)
    if spec.HasField("version"):
        wanted = spec.version.value
        chosen = [status for status in statuses if status.version == wanted]
        if not chosen and (wanted or not statuses):
            raise ServingError(f"Could not find version {wanted} of model {spec.name}", Code.NOT_FOUND)
        statuses = chosen or statuses
    if not statuses:
        raise ServingError(f"Could not find any versions of model {spec.name}", Code.NOT_FOUND)
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in statuses:
        entry = response.model_version_status.add(version=status.version, state=status.state)
        entry.status.error_code = status.code
        entry.status.error_message = shorten(status.message)
    return response


def handle_reload_config(
    manager: ModelManager, request: model_management_pb2.ReloadConfigRequest
) -> model_management_pb2.ReloadConfigResponse:
    """Serves the models of another config from now on; returns when the new ones are there.

    Raises:
        ServingError: the config is none that can be served, or a new model did not become available.
    """
    if not request.config.HasField("model_config_list"):
        raise ServingError(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    manager.reload(model_configs.from_proto(request.config))
    response = model_management_pb2.ReloadConfigResponse()
    response.status.SetInParent()
    return response


def _set_spec(spec: model_pb2.ModelSpec, servable: Servable, signature_name: str) -> None:
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature_name or DEFAULT_SIGNATURE
