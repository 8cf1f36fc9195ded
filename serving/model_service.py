"""TensorFlow Serving's ModelService: GetModelStatus."""

from __future__ import annotations

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from serving.errors import Code, ServingError
from serving.grpc_status import answers_status, shorten
from serving.manager import ModelManager


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells the states of the manager's models; HandleReloadConfigRequest is UNIMPLEMENTED."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    @answers_status
    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Gives the state of one version, or of every version ever seen, the highest first."""
        if not request.HasField("model_spec"):
            raise ServingError("Missing ModelSpec")
        spec = request.model_spec
        statuses = self._manager.statuses(spec.name)
        if spec.HasField("version"):
            statuses = [status for status in statuses if status.version == spec.version.value]
            if not statuses:
                message = f"Could not find version {spec.version.value} of model {spec.name}"
                raise ServingError(message, Code.NOT_FOUND)
        if not statuses:
            raise ServingError(f"Could not find any versions of model {spec.name}", Code.NOT_FOUND)
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in statuses:
            entry = response.model_version_status.add(version=status.version, state=status.state)
            entry.status.error_code = status.code
            entry.status.error_message = shorten(status.message)
        return response
