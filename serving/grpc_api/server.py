"""The gRPC side of a server: services, health, reflection, ports and certificates."""

from __future__ import annotations

from concurrent import futures
from typing import Any

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving import machine
from serving.errors import Code, ServingError
from serving.grpc_api import channel_arguments, credentials, descriptors
from serving.grpc_api.model_service import ModelService
from serving.grpc_api.prediction_service import PredictionService
from serving.grpc_api.side_services import SideServices
from serving.models.manager import ModelManager
from serving.settings.options import ServerOptions

_SERVICES = (descriptors.PREDICTION_SERVICE, descriptors.MODEL_SERVICE)


class GrpcServer:
    """Serves the models of a manager over gRPC: `bind`, `start`, then `stop`.

    Args:
        manager: the models.
        options: ports, certificates and threads.

    Raises:
        ServingError: the options cannot be followed.
    """

    def __init__(self, manager: ModelManager, options: ServerOptions):
        self._options = options
        self._credentials = credentials.read(options.ssl_config_file)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(options.grpc_max_threads or 4 * machine.cpus(), "grpc"),
            options=channel_arguments.parse(options.grpc_channel_arguments),
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(manager, options.enable_serialization_as_tensor_content), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(manager), self._server)
        self._side = SideServices(self._server, _SERVICES, descriptors.pool())

    def bind(self) -> int:
        """Takes the TCP port and the UNIX socket.

        Returns:
            The port, 0 if there is none.

        Raises:
            ServingError: one of them is taken or not allowed.
        """
        socket_path, port = self._options.grpc_socket_path, 0
        if self._options.port or not socket_path:
            port = self._listen(
                f"0.0.0.0:{self._options.port}",
                "the port is in use or not allowed; choose another with --port",
            )
        if socket_path:
            self._listen(
                f"unix:{socket_path}",
                "the path is in use or not allowed; choose another with --grpc_socket_path",
            )
        return port

    def start(self) -> None:
        """Answers from now on."""
        self._server.start()
        self._side.start()

    def stop(self, grace: float | None) -> Any:
        """Refuses new requests and gives those in flight `grace` seconds.

        Returns:
            An event to wait for.
        """
        self._side.drain()
        stopped = self._server.stop(grace)
        self._side.end_streams()
        return stopped

    def _listen(self, address: str, advice: str) -> int:
        try:
            if self._credentials:
                return self._server.add_secure_port(address, self._credentials)
            return self._server.add_insecure_port(address)
        except RuntimeError as error:  # gRPC does not tell which of the two it is
            if self._credentials:
                advice = f"{advice}, or the key and certificates of --ssl_config_file are none"
            raise ServingError(f"cannot listen at {address}: {advice}", Code.UNAVAILABLE) from error
