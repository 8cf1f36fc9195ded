"""The `tandem` command: one module a subcommand, each a thin layer over the room that does the work."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(
    name="tandem",
    help="A text-aware recommender on TensorFlow: from raw tables to recommendations over gRPC.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command line; what the user can mend is one clear message and exit status 2."""
    from preprocessing.schema import InputError

    try:
        app()
    except InputError as error:
        print(f"tandem: error: {error}", file=sys.stderr)
        sys.exit(2)
