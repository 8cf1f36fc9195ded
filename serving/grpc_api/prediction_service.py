"""TensorFlow Serving's PredictionService."""

from __future__ import annotations

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.grpc_api.status import answer
from serving.inference import api
from serving.models.manager import ModelManager


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers from the manager's models.

    Args:
        manager: the models.
        tensor_content: answers Predict in `tensor_content` instead of the typed fields.
    """

    def __init__(self, manager: ModelManager, tensor_content: bool = False):
        self._manager = manager
        self._tensor_content = tensor_content

    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs one signature on tensors."""
        return answer(
            context,
            self._manager.events,
            "Predict",
            request.model_spec.name,
            lambda: api.predict(
                self._manager,
                request,
                tensor_content=self._tensor_content,
                timeout_s=context.time_remaining(),
            ),
        )

    def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Classifies Examples."""
        return answer(
            context,
            self._manager.events,
            "Classify",
            request.model_spec.name,
            lambda: api.classify(self._manager, request, timeout_s=context.time_remaining()),
        )

    def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """Gives a value for each Example."""
        return answer(
            context,
            self._manager.events,
            "Regress",
            request.model_spec.name,
            lambda: api.regress(self._manager, request, timeout_s=context.time_remaining()),
        )

    def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """Classifies and regresses the same Examples."""
        return answer(
            context,
            self._manager.events,
            "MultiInference",
            request.tasks[0].model_spec.name if request.tasks else "",
            lambda: api.multi_inference(self._manager, request, timeout_s=context.time_remaining()),
        )

    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Gives the signatures."""
        return answer(
            context,
            self._manager.events,
            "GetModelMetadata",
            request.model_spec.name,
            lambda: api.get_model_metadata(self._manager, request),
        )
