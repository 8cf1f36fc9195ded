"""TensorFlow Serving's ModelService."""

from __future__ import annotations

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc

from serving.grpc_api.status import answer
from serving.inference import api
from serving.models.manager import ModelManager


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells the states of the manager's models, and exchanges the models for others."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Gives the state of one version, or of every version ever seen, the highest first."""
        return answer(
            context,
            self._manager.events,
            "GetModelStatus",
            request.model_spec.name,
            lambda: api.model_status(self._manager, request),
        )

    def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves the models of another config from now on."""
        return answer(
            context,
            self._manager.events,
            "HandleReloadConfigRequest",
            "",
            lambda: api.handle_reload_config(self._manager, request),
        )
