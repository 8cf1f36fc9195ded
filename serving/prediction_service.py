"""TensorFlow Serving's PredictionService: Predict and GetModelMetadata."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from serving import tensors
from serving.errors import ServingError
from serving.grpc_status import answers_status
from serving.manager import ModelManager
from serving.signatures import DEFAULT_SIGNATURE

_SIGNATURE_DEF = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers from the manager's models; Classify, Regress and MultiInference are UNIMPLEMENTED."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    @answers_status
    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs one signature; outputs come in typed fields."""
        if not request.HasField("model_spec"):
            raise ServingError("Missing ModelSpec")
        signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
        with self._manager.acquire(request.model_spec) as servable:
            outputs = servable.model.predict(signature, _decode(request.inputs), request.output_filter)
        response = predict_pb2.PredictResponse()
        for alias, output in outputs.items():
            response.outputs[alias].CopyFrom(tensors.encode(output))
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.model_spec.signature_name = signature
        return response

    @answers_status
    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Gives the signatures, the only metadata field there is."""
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
        with self._manager.acquire(request.model_spec) as servable:
            for name, definition in servable.model.signatures.items():
                signature_map.signature_def[name].CopyFrom(definition)
        response.metadata[_SIGNATURE_DEF].Pack(signature_map)
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        return response


def _decode(inputs: Mapping[str, tensors.tensor_pb2.TensorProto]) -> dict[str, np.ndarray]:
    arrays = {}
    for alias, proto in inputs.items():
        try:
            arrays[alias] = tensors.decode(proto)
        except tensors.TensorParsingError as error:
            raise ServingError(f"tensor parsing error: {alias}") from error
    return arrays
