"""The gRPC side of a server: services, health, reflection, ports and certificates."""

from __future__ import annotations

from concurrent import futures
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving import config_files, machine, protos, service_descriptors
from serving.errors import Code, ServingError
from serving.manager import ModelManager
from serving.model_service import ModelService
from serving.options import ServerOptions
from serving.prediction_service import PredictionService

_MAX_MESSAGE_BYTES = 2**31 - 1  # as TensorFlow Serving
_SERVICES = (service_descriptors.PREDICTION_SERVICE, service_descriptors.MODEL_SERVICE)


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
        self._credentials = _credentials(options.ssl_config_file) if options.ssl_config_file else None
        self._health = health.HealthServicer(experimental_non_blocking=True)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(options.grpc_max_threads or 4 * machine.cpus(), "grpc"),
            options=_channel_arguments(options.grpc_channel_arguments),
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(manager, options.enable_serialization_as_tensor_content), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(manager), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME),
            self._server,
            service_descriptors.pool(),
        )

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
        for name in ("", *_SERVICES):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float | None) -> Any:
        """Refuses new requests and gives those in flight `grace` seconds.

        Returns:
            An event to wait for.
        """
        self._health.enter_graceful_shutdown()
        return self._server.stop(grace)

    def _listen(self, address: str, advice: str) -> int:
        try:
            if self._credentials:
                return self._server.add_secure_port(address, self._credentials)
            return self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ServingError(f"cannot listen at {address}: {advice}", Code.UNAVAILABLE) from error


def _credentials(path: str) -> grpc.ServerCredentials:
    config = config_files.read(path, protos.SSLConfig())
    if not config.server_key or not config.server_cert:
        raise ServingError(f"Invalid protobuf file: '{path}' (server_key and server_cert must be there)")
    if config.client_verify and not config.custom_ca:
        raise ServingError(f"Invalid protobuf file: '{path}' (client_verify needs custom_ca)")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """Reads `key=value,…`: numbers as numbers, later ones over earlier ones and over the defaults."""
    arguments: dict[str, int | str] = {
        "grpc.max_receive_message_length": _MAX_MESSAGE_BYTES,
        "grpc.max_send_message_length": _MAX_MESSAGE_BYTES,
        # Two servers would share a port without a word, each answering some of the requests.
        "grpc.so_reuseport": 0,
    }
    for argument in filter(None, text.split(",")):
        key, equals, value = argument.partition("=")
        if not equals:
            raise ServingError(f"grpc_channel_arguments must be key=value, joined by commas; got {argument}")
        try:
            arguments[key] = int(value)
        except ValueError:
            arguments[key] = value
    return list(arguments.items())
