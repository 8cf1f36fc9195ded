"""The model server: TensorFlow Serving's services, over gRPC and REST, of the models of a `ModelManager`."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from serving import machine
from serving.grpc_api.server import GrpcServer
from serving.models import config_watch, loading
from serving.models.labels import Unavailable
from serving.models.manager import ModelManager, Watch
from serving.models.servables import Retries
from serving.monitoring.events import Events
from serving.rest.server import RestServer
from serving.settings import config_files, config_protos
from serving.settings.model_configs import ModelConfig
from serving.settings.options import ServerOptions

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 25.0  # what Kubernetes allows between SIGTERM and SIGKILL, less a margin
_PROMETHEUS_PATH = "/monitoring/prometheus/metrics"


class Server:
    """A model server in this process: `load`, `listen`, then `stop`.

    Attributes:
        port: where it listens for gRPC, once loaded; 0 if only at a UNIX socket.
        rest_port: where it listens for REST, once it does; 0 if nowhere.

    Raises:
        ServingError: a config file is missing or wrong.
    """

    def __init__(self, options: ServerOptions):
        self.options = options
        self.port = options.port
        self.rest_port = 0
        config_text = config_files.read_text(options.model_config_file) if options.model_config_file else ""
        events = Events()
        configs = _model_configs(options, config_text)
        self._manager = ModelManager(configs or [], loading.loader(options, events), _watch(options), events)
        self._config_watch = None
        if options.model_config_file and options.model_config_file_poll_wait_seconds > 0:
            self._config_watch = config_watch.ConfigWatch(
                options.model_config_file,
                config_text,
                configs,
                self._manager,
                options.model_config_file_poll_wait_seconds,
            )
        self._grpc = GrpcServer(self._manager, options)
        self._rest = _rest_server(self._manager, options)

    def start(self) -> None:
        """Loads, then listens.

        Raises:
            ServingError: a port is taken, or there is a model that cannot be loaded.
        """
        self.load()
        self.listen()

    def load(self) -> None:
        """Reserves the gRPC port, so that a wrong one is told at once, and loads a version of every model.

        Raises:
            ServingError: the port is taken, or there is a model that cannot be loaded.
        """
        try:
            self.port = self._grpc.reserve()
            self._manager.start()
        except BaseException:
            self._give_up()
            raise

    def listen(self) -> None:
        """Answers from now on: the models are there, so whoever can connect gets answers.

        Raises:
            ServingError: a port or the UNIX socket is taken.
        """
        try:
            if self._rest:
                self.rest_port = self._rest.start()
            self._grpc.start()
        except BaseException:
            self._give_up()
            raise
        if self._config_watch:
            self._config_watch.start()

    def stop(self, grace: float | None = None) -> None:
        """Refuses new requests, gives those in flight `grace` seconds, then unloads the models."""
        stopped = self._grpc.stop(grace)
        if self._rest:
            self._rest.stop(grace)
        stopped.wait()
        if self._config_watch:
            self._config_watch.stop()
        self._manager.close()

    def _give_up(self) -> None:
        self._grpc.stop(None)
        if self._rest:
            self._rest.stop()
        self._manager.close()


def run(options: ServerOptions) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is in flight and returns.

    Prints a line to standard output for each address where it is ready, as TensorFlow Serving says it:
    `Running gRPC ModelServer at 0.0.0.0:8500 ...`, with the port that was chosen. Until then, a signal ends
    the process at once: there is nothing to answer yet.

    Raises:
        ServingError: it cannot start.
    """
    machine.keep_freed_memory()
    server = Server(options)
    server.load()
    # What is there now stays. The collector need not look through all of it again and again, which would
    # stop every request for a good part of a second.
    gc.collect()
    gc.freeze()
    with _termination_signals() as terminated:
        server.listen()
        for line in _addresses(server):
            print(line, flush=True)
        terminated.wait()
    log.info("Draining")
    server.stop(_DRAIN_SECONDS)


def _addresses(server: Server) -> Iterator[str]:
    if server.port:
        yield f"Running gRPC ModelServer at 0.0.0.0:{server.port} ..."
    if server.options.grpc_socket_path:
        yield f"Running gRPC ModelServer at UNIX socket {server.options.grpc_socket_path} ..."
    if server.rest_port:
        yield f"Exporting HTTP/REST API at:localhost:{server.rest_port} ..."


def _model_configs(options: ServerOptions, config_text: str) -> Sequence[ModelConfig] | None:
    if options.model_config_file:
        return config_watch.parse(config_text, options.model_config_file)
    return [ModelConfig(options.model_name, options.model_base_path)]


def _watch(options: ServerOptions) -> Watch:
    return Watch(
        options.file_system_poll_wait_seconds,
        Retries(options.max_num_load_retries, options.load_retry_interval_micros / 1e6),
        _unavailable_labels(options),
    )


def _unavailable_labels(options: ServerOptions) -> Unavailable:
    if options.force_allow_any_version_labels_for_unavailable_models:
        return Unavailable.ANY
    if options.allow_version_labels_for_unavailable_models:
        return Unavailable.UNUSED
    return Unavailable.NONE


def _rest_server(manager: ModelManager, options: ServerOptions) -> RestServer | None:
    if not options.rest_api_port:
        return None
    if options.rest_api_port == options.port:
        log.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port for "
            "HTTP/REST API. Skipped exporting HTTP/REST API."
        )
        return None
    return RestServer(
        manager,
        options.rest_api_port,
        options.rest_api_num_threads,
        options.rest_api_timeout_in_ms,
        _prometheus_path(options.monitoring_config_file),
        options.rest_api_enable_cors_support,
    )


def _prometheus_path(monitoring_config_file: str) -> str | None:
    if not monitoring_config_file:
        return None
    config = config_files.read(monitoring_config_file, config_protos.MonitoringConfig()).prometheus_config
    return (config.path or _PROMETHEUS_PATH) if config.enable else None


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
