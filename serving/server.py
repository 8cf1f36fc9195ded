"""The model server: TensorFlow Serving's services, over gRPC and REST, of the models of a `ModelManager`."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from serving import batching_parameters, config_files, config_watch, protos, warmup
from serving.batching import BatchScheduler
from serving.errors import ServingError
from serving.events import Events
from serving.grpc_server import GrpcServer
from serving.manager import ModelManager, Watch
from serving.model_configs import ModelConfig
from serving.options import ServerOptions
from serving.rest.server import RestServer
from serving.saved_model import LoadedModel
from serving.servables import Retries

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 25.0  # what Kubernetes allows between SIGTERM and SIGKILL, less a margin
_PROMETHEUS_PATH = "/monitoring/prometheus/metrics"


class Server:
    """A model server in this process: `start`, then `stop`.

    Attributes:
        port: where it listens for gRPC, once started; 0 if only at a UNIX socket.
        rest_port: where it listens for REST, once started; 0 if nowhere.

    Raises:
        ServingError: a config file is missing or wrong.
    """

    def __init__(self, options: ServerOptions):
        self.options = options
        self.port = options.port
        self.rest_port = 0
        config_text = config_files.read_text(options.model_config_file) if options.model_config_file else ""
        events = Events()
        self._manager = ModelManager(
            _model_configs(options, config_text), _loader(options, events), _watch(options), events
        )
        self._config_watch = None
        if options.model_config_file and options.model_config_file_poll_wait_seconds > 0:
            self._config_watch = config_watch.ConfigWatch(
                options.model_config_file,
                config_text,
                self._manager,
                options.model_config_file_poll_wait_seconds,
            )
        self._grpc = GrpcServer(self._manager, options)
        self._rest = _rest_server(self._manager, options)

    def start(self) -> None:
        """Takes the ports, loads the models, then listens: whoever can connect gets answers.

        Raises:
            ServingError: a port is taken, or there is a model that cannot be loaded.
        """
        self.port = self._grpc.bind()
        try:
            self._manager.start()
            if self._rest:
                self.rest_port = self._rest.start()
        except ServingError:
            self._grpc.stop(None)
            self._manager.close()
            raise
        self._grpc.start()
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


def run(options: ServerOptions) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is in flight and returns.

    Prints a line to standard output for each address where it is ready, as TensorFlow Serving says it:
    `Running gRPC ModelServer at 0.0.0.0:8500 ...`, with the port that was chosen.

    Raises:
        ServingError: it cannot start.
    """
    server = Server(options)
    server.start()
    # What is there now stays. The collector need not look through all of it again and again, which would
    # stop every request for a good part of a second.
    gc.collect()
    gc.freeze()
    with _termination_signals() as terminated:
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


def _model_configs(options: ServerOptions, config_text: str) -> Sequence[ModelConfig]:
    if options.model_config_file:
        return config_watch.parse(config_text, options.model_config_file)
    return [ModelConfig(options.model_name, options.model_base_path)]


def _watch(options: ServerOptions) -> Watch:
    return Watch(
        options.file_system_poll_wait_seconds,
        Retries(options.max_num_load_retries, options.load_retry_interval_micros / 1e6),
        options.allow_version_labels_for_unavailable_models,
    )


def _loader(options: ServerOptions, events: Events) -> Callable[[str], LoadedModel]:
    """Makes what loads a version and warms it up, all of them with one pool of slots for batches."""
    batching = BatchScheduler(_batching_parameters(options), events) if options.enable_batching else None
    parallelism = options.tensorflow_session_parallelism
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if not (intra or inter):
        intra = inter = parallelism

    def load(folder: str) -> LoadedModel:
        model = LoadedModel(
            folder,
            tags=options.saved_model_tags.split(","),
            intra_op_parallelism=intra,
            inter_op_parallelism=inter,
            gpu_memory_fraction=options.per_process_gpu_memory_fraction,
            checks_methods=options.enable_signature_method_name_check,
            batching=batching,
        )
        if options.enable_model_warmup:
            try:
                warmup.replay(model, folder, max(options.num_request_iterations_for_warmup, 1), events)
            except BaseException:
                model.close()
                raise
        return model

    return load


def _batching_parameters(options: ServerOptions) -> batching_parameters.BatchingParameters:
    proto = protos.BatchingParameters()
    if options.batching_parameters_file:
        config_files.read(options.batching_parameters_file, proto)
    return batching_parameters.from_proto(proto)


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
    )


def _prometheus_path(monitoring_config_file: str) -> str | None:
    if not monitoring_config_file:
        return None
    config = config_files.read(monitoring_config_file, protos.MonitoringConfig()).prometheus_config
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
