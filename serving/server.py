"""The gRPC model server: TensorFlow Serving's services over the models of a `ModelManager`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent import futures
from types import FrameType

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import Code, ServingError
from serving.manager import ModelManager
from serving.model_service import ModelService
from serving.prediction_service import PredictionService
from serving.saved_model import LoadedModel
from serving.servables import ModelConfig

log = logging.getLogger(__name__)

_MAX_MESSAGE_BYTES = 2**31 - 1  # as TensorFlow Serving
_DRAIN_SECONDS = 25.0  # what Kubernetes allows between SIGTERM and SIGKILL, less a margin


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """The flags of `tensorflow_model_server` that are understood, under its names.

    Attributes:
        model_base_path: the folder above the model's versions.
        model_name: what requests call the model.
        port: where to listen; 0 takes a free port.
        file_system_poll_wait_seconds: time between two looks for new versions; 0 looks once.
        grpc_max_threads: requests worked on at once; 0 is four a CPU.
        tensorflow_intra_op_parallelism: threads that one operation may use; 0 lets TensorFlow choose.
        tensorflow_inter_op_parallelism: operations that may run at once; 0 lets TensorFlow choose.
    """

    model_base_path: str
    model_name: str = "default"
    port: int = 8500
    file_system_poll_wait_seconds: float = 1
    grpc_max_threads: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ServingError(f"port must be from 0 to 65535, not {self.port}")
        for name in (
            "grpc_max_threads",
            "tensorflow_intra_op_parallelism",
            "tensorflow_inter_op_parallelism",
        ):
            if getattr(self, name) < 0:
                raise ServingError(f"{name} must be at least 0, not {getattr(self, name)}")


class Server:
    """A model server in this process: `start`, then `stop`.

    Attributes:
        port: where it listens, once started.
    """

    def __init__(self, options: ServerOptions):
        self.options = options
        self.port = options.port
        self._manager = ModelManager(
            [ModelConfig(options.model_name, options.model_base_path)],
            load=functools.partial(
                LoadedModel,
                intra_op_parallelism=options.tensorflow_intra_op_parallelism,
                inter_op_parallelism=options.tensorflow_inter_op_parallelism,
            ),
            poll_wait_seconds=options.file_system_poll_wait_seconds,
        )
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(options.grpc_max_threads or 4 * _cpus(), "grpc"),
            options=[
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                # Two servers would share a port without a word, each answering some of the requests.
                ("grpc.so_reuseport", 0),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self._manager), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self._manager), self._grpc)

    def start(self) -> None:
        """Takes the port, loads the model, then listens: whoever can connect gets answers.

        Raises:
            ServingError: the port is taken, or there is no model that can be loaded.
        """
        self.port = self._bind()
        try:
            self._manager.start()
        except ServingError:
            self._manager.close()
            raise
        self._grpc.start()

    def stop(self, grace: float | None = None) -> None:
        """Refuses new requests, gives those in flight `grace` seconds, then unloads the model."""
        self._grpc.stop(grace).wait()
        self._manager.close()

    def _bind(self) -> int:
        address = f"0.0.0.0:{self.options.port}"
        try:
            return self._grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise ServingError(
                f"cannot listen at {address}: the port is in use or not allowed; choose another with --port",
                Code.UNAVAILABLE,
            ) from error


def run(options: ServerOptions) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is in flight and returns.

    Prints one line to standard output when it is ready, as TensorFlow Serving says it:
    `Running gRPC ModelServer at 0.0.0.0:8500 ...`, with the port that was chosen.

    Raises:
        ServingError: it cannot start.
    """
    server = Server(options)
    server.start()
    with _termination_signals() as terminated:
        print(f"Running gRPC ModelServer at 0.0.0.0:{server.port} ...", flush=True)
        terminated.wait()
    log.info("Draining")
    server.stop(_DRAIN_SECONDS)


@contextlib.contextmanager
def _termination_signals() -> Iterator[threading.Event]:
    """An event set by SIGTERM or SIGINT; after it, a second signal ends the process as it usually would."""
    terminated = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        terminated.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield terminated
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
