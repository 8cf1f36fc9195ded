"""`tandem serve`: a model server that TensorFlow Serving's clients can call."""

from __future__ import annotations

import logging
from typing import Annotated

import typer


def serve(
    model_base_path: Annotated[
        str,
        typer.Option(
            "--model_base_path",
            metavar="PATH",
            help="The folder above the versions: `model` where a version is `model/1/saved_model.pb`.",
        ),
    ],
    model_name: Annotated[
        str, typer.Option("--model_name", metavar="NAME", help="What requests call the model.")
    ] = "tandem",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="Where to listen for gRPC; 0 takes a free port."),
    ] = 8500,
    file_system_poll_wait_seconds: Annotated[
        int,
        typer.Option(
            "--file_system_poll_wait_seconds",
            metavar="N",
            help="Time between two looks for new versions; 0 looks once, at the start; a negative number "
            "never looks, so that no model is ever loaded.",
        ),
    ] = 1,
    grpc_max_threads: Annotated[
        int,
        typer.Option("--grpc_max_threads", metavar="N", help="Requests worked on at once; 0 is four a CPU."),
    ] = 0,
    tensorflow_intra_op_parallelism: Annotated[
        int,
        typer.Option(
            "--tensorflow_intra_op_parallelism",
            metavar="N",
            help="Threads that one operation may use; 0 lets TensorFlow choose.",
        ),
    ] = 0,
    tensorflow_inter_op_parallelism: Annotated[
        int,
        typer.Option(
            "--tensorflow_inter_op_parallelism",
            metavar="N",
            help="Operations that may run at once; 0 lets TensorFlow choose.",
        ),
    ] = 0,
) -> None:
    """Serves a SavedModel over gRPC, as `tensorflow_model_server` does.

    It speaks TensorFlow Serving's PredictionService and ModelService and takes its flags, so its clients
    work unchanged. Any SavedModel will do; ScaNN and TF-Text operations are there. A new version in the
    folder is picked up, with no request lost; a broken one is reported and the old one keeps serving.
    Ctrl-C or SIGTERM answers what is in flight, then ends.

    The long flags in full: `--file_system_poll_wait_seconds`, `--tensorflow_intra_op_parallelism`,
    `--tensorflow_inter_op_parallelism`.

    Example: `tandem serve --model_base_path=runs/movielens-100k/model`, then `tandem recommend --user 196`.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    from serving.server import ServerOptions, run

    run(
        ServerOptions(
            model_base_path=model_base_path,
            model_name=model_name,
            port=port,
            file_system_poll_wait_seconds=file_system_poll_wait_seconds,
            grpc_max_threads=grpc_max_threads,
            tensorflow_intra_op_parallelism=tensorflow_intra_op_parallelism,
            tensorflow_inter_op_parallelism=tensorflow_inter_op_parallelism,
        )
    )
