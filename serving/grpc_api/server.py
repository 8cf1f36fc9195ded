"""The gRPC side of a server: services, health, reflection, ports and certificates."""

from __future__ import annotations

import socket
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

_PORT_ADVICE = "the port is in use or not allowed; choose another with --port"
_PATH_ADVICE = "the path is in use or not allowed; choose another with --grpc_socket_path"
_SERVICES = (descriptors.PREDICTION_SERVICE, descriptors.MODEL_SERVICE)


class GrpcServer:
    """Serves the models of a manager over gRPC: `reserve`, `start`, then `stop`.

    Args:
        manager: the models.
        options: ports, certificates and threads.

    Raises:
        ServingError: the options cannot be followed.
    """

    def __init__(self, manager: ModelManager, options: ServerOptions):
        self._options = options
        self._port = 0
        self._reserved: socket.socket | None = None
        self._credentials = credentials.read(options.ssl_config_file)
        self._arguments = channel_arguments.parse(options.grpc_channel_arguments)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(options.grpc_max_threads or 4 * machine.cpus(), "grpc"),
            options=self._arguments,
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(manager, options.enable_serialization_as_tensor_content), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(manager), self._server)
        self._side = SideServices(self._server, _SERVICES, descriptors.pool())

    def reserve(self) -> int:
        """Takes the TCP port without listening there: who could connect would think that there are models.

        Returns:
            The port, 0 if there is none.

        Raises:
            ServingError: it is taken or not allowed.
        """
        if not self._options.port and self._options.grpc_socket_path:
            return 0
        self._reserved = socket.socket()
        # gRPC's own socket is made so too: it may be bound beside this one, unless another listens there.
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if dict(self._arguments).get("grpc.so_reuseport"):
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            self._reserved.bind(("", self._options.port))
        except OSError as error:
            raise _cannot_listen(f"0.0.0.0:{self._options.port}", _PORT_ADVICE) from error
        self._port = int(self._reserved.getsockname()[1])
        return self._port

    def start(self) -> None:
        """Listens and answers from now on.

        Raises:
            ServingError: the port or the UNIX socket is taken or not allowed.
        """
        if self._port:
            self._listen(f"0.0.0.0:{self._port}", _PORT_ADVICE)
            self._free_port()
        if self._options.grpc_socket_path:
            self._listen(f"unix:{self._options.grpc_socket_path}", _PATH_ADVICE)
        self._server.start()
        self._side.start()

    def stop(self, grace: float | None) -> Any:
        """Refuses new requests and gives those in flight `grace` seconds.

        Returns:
            An event to wait for.
        """
        self._free_port()
        self._side.drain()
        stopped = self._server.stop(grace)
        self._side.end_streams()
        return stopped

    def _free_port(self) -> None:
        if self._reserved:
            self._reserved.close()

    def _listen(self, address: str, advice: str) -> None:
        try:
            if self._credentials:
                self._server.add_secure_port(address, self._credentials)
            else:
                self._server.add_insecure_port(address)
        except RuntimeError as error:  # gRPC does not tell which of the two it is
            if self._credentials:
                advice = f"{advice}, or the key and certificates of --ssl_config_file are none"
            raise _cannot_listen(address, advice) from error


def _cannot_listen(address: str, advice: str) -> ServingError:
    return ServingError(f"cannot listen at {address}: {advice}", Code.UNAVAILABLE)
