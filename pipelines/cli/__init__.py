"""The `tandem` command: one module a subcommand, each a thin layer over the room that does the work."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines import __version__
from pipelines.cli import (
    assets,
    evaluate,
    index,
    preprocess,
    recommend,
    run,
    runs,
    search,
    serve,
    train,
    tune,
    vertex,
)

app = typer.Typer(
    name="tandem",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tandem {__version__}")
        raise typer.Exit


@app.callback()
def tandem(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A text-aware recommender on TensorFlow: from raw tables to recommendations over gRPC.

    Start with `tandem run --config configs/movielens-100k.yaml`, which does all the steps; each is a
    command of its own too.
    """


# In the order in which data flows; --help shows them so.
app.command()(run.run)
app.add_typer(runs.app, name="runs")
app.add_typer(assets.app, name="assets")
app.command()(preprocess.preprocess)
app.command()(train.train)
app.command()(tune.tune)
app.add_typer(index.app, name="index")
app.command()(evaluate.evaluate)
app.command(cls=serve.ServeCommand, context_settings=serve.READS_ITS_OWN_FLAGS)(serve.serve)
app.command()(recommend.recommend)
app.command()(search.search)
app.add_typer(vertex.app, name="vertex")


def main() -> None:
    """Runs the command line; what goes wrong is one message, with status 2 for what the user can mend."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # likewise; what it would log is told in an error
    logging.getLogger().setLevel(logging.ERROR)  # Beam warns of Google's packages while it is imported
    from preprocessing.errors import PipelineError
    from preprocessing.schema import InputError
    from serving.errors import ServingError

    try:
        app()
    except (InputError, ServingError) as error:
        print(f"tandem: error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        in_the_way = isinstance(error, (FileExistsError, NotADirectoryError)) and error.filename
        if in_the_way and not Path(error.filename).is_dir():
            print(f"tandem: error: {where}a file stands where a folder is needed", file=sys.stderr)
            sys.exit(2)
        print(f"tandem: error: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except PipelineError as error:
        print(f"tandem: error: {error}", file=sys.stderr)
        sys.exit(1)
