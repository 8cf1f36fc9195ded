"""The settings of a server: the flags of `tensorflow_model_server`, by its names and with its meaning."""

from __future__ import annotations

import dataclasses
from typing import Any

from serving.errors import ServingError


def _flag(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """What a server is started with; `flags.usage` tells what each setting means.

    Raises:
        ServingError: INVALID_ARGUMENT, in TensorFlow Serving's words, where settings contradict each other
            or a number is impossible.
    """

    model_base_path: str = _flag(
        "",
        "The folder above the model's versions: `model` where a version is `model/1/saved_model.pb`. Ignored "
        "with --model_config_file, otherwise required.",
    )
    model_name: str = _flag("default", "What requests call the model. Ignored with --model_config_file.")
    model_config_file: str = _flag(
        "", "A ModelServerConfig in text format: the models to serve, their version policies and labels."
    )
    model_config_file_poll_wait_seconds: float = _flag(
        0, "Time between two looks at --model_config_file; 0 reads it once, at the start."
    )
    port: int = _flag(
        8500,
        "TCP port for gRPC. 0 takes a free one, or none where there is a --grpc_socket_path.",
    )
    grpc_socket_path: str = _flag("", "A UNIX socket for gRPC to listen at too.")
    rest_api_port: int = _flag(0, "TCP port for the HTTP/REST API, another than --port; 0 is no such API.")
    rest_api_num_threads: int = _flag(0, "Threads for the HTTP/REST API; 0 is four a CPU.")
    rest_api_timeout_in_ms: int = _flag(30000, "Time limit of a call of the HTTP/REST API.")
    rest_api_enable_cors_support: bool = _flag(False, "Lets web pages of any origin call the HTTP/REST API.")
    monitoring_config_file: str = _flag(
        "", "A MonitoringConfig in text format: whether and where the HTTP/REST API tells Prometheus metrics."
    )
    file_system_poll_wait_seconds: float = _flag(
        1,
        "Time between two looks for new versions; a model without any is waited for. 0 looks once, at the "
        "start; a negative number never looks, so that no model is ever loaded.",
    )
    max_num_load_retries: int = _flag(
        5, "How often a version that could not be loaded is tried again; 0 tries once."
    )
    load_retry_interval_micros: int = _flag(
        60_000_000, "Least time between two tries to load a version; a negative number does not wait."
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "Lets unused version labels be assigned to versions that are not loaded (yet)."
    )
    force_allow_any_version_labels_for_unavailable_models: bool = _flag(
        False, "Lets any version label be assigned to versions that are not loaded (yet)."
    )
    enable_batching: bool = _flag(False, "Runs requests that come at the same time as one batch.")
    batching_parameters_file: str = _flag(
        "", "BatchingParameters in text format instead of the defaults; needs --enable_batching."
    )
    enable_model_warmup: bool = _flag(
        True, "Replays the requests in assets.extra/tf_serving_warmup_requests before a version serves."
    )
    num_request_iterations_for_warmup: int = _flag(
        0, "How often each of these requests is replayed; used if above 0."
    )
    enable_serialization_as_tensor_content: bool = _flag(
        False, "Answers Predict in tensor_content instead of the typed fields."
    )
    enable_signature_method_name_check: bool = _flag(
        False, "Insists on a signature's method name; native TF2 classifiers and regressors need it off."
    )
    saved_model_tags: str = _flag(
        "serve", "The tags, joined by commas, of the graph to load from a SavedModel."
    )
    ssl_config_file: str = _flag(
        "", "An SSLConfig in text format: gRPC by TLS, with client certificates if it says so."
    )
    grpc_channel_arguments: str = _flag(
        "", "Arguments for the gRPC server, joined by commas, such as grpc.max_connection_age_ms=2000."
    )
    grpc_max_threads: int = _flag(0, "gRPC requests worked on at once; 0 is four a CPU.")
    tensorflow_session_parallelism: int = _flag(
        0, "Threads for a session, within and between operations; 0 lets TensorFlow choose."
    )
    tensorflow_intra_op_parallelism: int = _flag(
        0, "Threads that one operation may use; 0 lets TensorFlow choose."
    )
    tensorflow_inter_op_parallelism: int = _flag(
        0,
        "Operations of a request that may run at once; 0 lets TensorFlow choose for a graph of more than "
        "1,000, and runs a smaller one in the thread of the request, where it is quicker; -1 runs all there.",
    )
    per_process_gpu_memory_fraction: float = _flag(
        0.0, "Share of the GPU's memory to take, up to 1.0; 0.0 lets TensorFlow choose."
    )

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_contradictions(self)


def _check_numbers(options: ServerOptions) -> None:
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(options, name) <= 65535:
            raise ServingError(f"{name} must be from 0 to 65535, not {getattr(options, name)}")
    for name in (
        "rest_api_num_threads",
        "max_num_load_retries",
        "grpc_max_threads",
        "tensorflow_session_parallelism",
        "tensorflow_intra_op_parallelism",
    ):
        if getattr(options, name) < 0:
            raise ServingError(f"{name} must be at least 0, not {getattr(options, name)}")
    if options.tensorflow_inter_op_parallelism < -1:
        raise ServingError(
            "tensorflow_inter_op_parallelism must be at least -1, "
            f"not {options.tensorflow_inter_op_parallelism}"
        )
    if not 0 <= options.per_process_gpu_memory_fraction <= 1:
        raise ServingError(
            "per_process_gpu_memory_fraction must be from 0 to 1, "
            f"not {options.per_process_gpu_memory_fraction}"
        )


def _check_contradictions(options: ServerOptions) -> None:
    if not options.model_base_path and not options.model_config_file:
        raise ServingError(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    if options.batching_parameters_file and not options.enable_batching:
        raise ServingError(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )
    if (
        options.tensorflow_session_parallelism > 0
        and options.tensorflow_intra_op_parallelism > 0
        and options.tensorflow_inter_op_parallelism > 0
    ):
        raise ServingError(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
