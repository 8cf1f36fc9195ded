"""How a server loads its models' versions: with its tags, threads and batching, warmed up."""

from __future__ import annotations

from collections.abc import Callable

from serving.batching import parameters
from serving.batching.scheduler import BatchScheduler
from serving.models import warmup
from serving.models.saved_model import LoadedModel
from serving.monitoring.events import Events
from serving.settings import config_files, config_protos
from serving.settings.options import ServerOptions


def loader(options: ServerOptions, events: Events) -> Callable[[str], LoadedModel]:
    """Makes what loads a version's folder; all versions share one pool of slots for batches.

    Args:
        options: the server's.
        events: where batches and warm-ups are told.

    Raises:
        ServingError: the batching parameters are missing or wrong.
    """
    batching = BatchScheduler(_batching_parameters(options), events) if options.enable_batching else None
    intra, inter = parallelism(options)

    def load(folder: str) -> LoadedModel:
        model = LoadedModel(
            folder,
            tags=options.saved_model_tags.split(","),
            intra_op_parallelism=intra,
            inter_op_parallelism=inter,
            gpu_memory_fraction=options.per_process_gpu_memory_fraction,
            checks_methods=options.enable_signature_method_name_check,
            batching=batching,
            events=events,
        )
        if options.enable_model_warmup:
            try:
                warmup.replay(model, folder, max(options.num_request_iterations_for_warmup, 1), events)
            except BaseException:
                model.close()
                raise
        return model

    return load


def parallelism(options: ServerOptions) -> tuple[int, int]:
    """Gives the threads within and between operations; what is said of one of them goes before both."""
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if intra or inter:
        return intra, inter
    return options.tensorflow_session_parallelism, options.tensorflow_session_parallelism


def _batching_parameters(options: ServerOptions) -> parameters.BatchingParameters:
    proto = config_protos.BatchingParameters()
    if options.batching_parameters_file:
        config_files.read(options.batching_parameters_file, proto)
    return parameters.from_proto(proto)
