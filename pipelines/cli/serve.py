"""`tandem serve`: a model server that TensorFlow Serving's clients can call."""

from __future__ import annotations

import logging
import os
import sys
from importlib import metadata
from typing import Any

import typer
from typer.core import TyperCommand

from pipelines import __version__

READS_ITS_OWN_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}
_FAILED = 255  # as `tensorflow_model_server`, whose main returns -1


class ServeCommand(TyperCommand):
    """A command whose flags are read and explained as `tensorflow_model_server` does it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes what the command does and every flag."""
        from serving.settings import flags

        formatter.write(f"{self.help}\n\n{flags.usage('tandem serve')}")


def serve(context: typer.Context) -> None:
    """Serves SavedModels over gRPC and REST, as `tensorflow_model_server` does.

    It speaks TensorFlow Serving's protocol and takes its flags, so its clients and command lines work
    unchanged. Any SavedModel will do; ScaNN and TF-Text operations are there. A folder without a version is
    waited for. A new version in it is picked up, with no request lost; a broken one is reported and the old
    one keeps serving. Ctrl-C or SIGTERM answers what is in flight, then ends.

    Example: `tandem serve --model_base_path=runs/movielens-100k/serving`, then `tandem recommend --user 196`.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    # Read on import. oneDNN prepares each operation for its shapes, which on batches of a few small rows
    # takes longer than the operation.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    from serving.errors import ServingError
    from serving.settings import flags

    try:
        if flags.asks_for_version(context.args):
            print(f"TensorFlow ModelServer: tandem {__version__}")
            print(f"TensorFlow Library: {metadata.version('tensorflow')}")
            return
        options = flags.parse(context.args)
        from serving.server import run

        run(options)
    except flags.FlagError as error:
        print(f"{error}\n{flags.usage('tandem serve')}", end="", file=sys.stderr)
        raise typer.Exit(_FAILED) from error
    except ServingError as error:
        print(f"Failed to start server. Error: {error.code.name}: {error}", file=sys.stderr)
        raise typer.Exit(_FAILED) from error
