"""`tandem preprocess`: raw tables to examples/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def preprocess(
    config: Annotated[
        Path, typer.Option(help="The config; its sections `name` and `data` are read.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(help="The folder to write. One that is there is replaced once the new one is whole."),
    ] = Path("examples"),
    workers: Annotated[
        int, typer.Option(min=1, help="Processes on this machine; the output does not depend on it.")
    ] = 1,
    beam_options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- BEAM OPTIONS]",
            help="Passed to Apache Beam as they are, for example `-- --runner=DataflowRunner --temp_location=gs://…`.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Turns raw tables into **examples/**: TFRecords, vocabularies, schema.json, statistics.json.

    Each row that cannot be used goes to `quarantine-*.jsonl` with its file, line and reason; when more
    than `maximum_rejected` of a table does, nothing is written and the reasons are shown. The same input
    gives the same bytes. A run that is killed leaves an earlier output as it was.

    Example: `tandem preprocess --config configs/movielens-100k.yaml --output examples --workers 2`
    """
    from rich.console import Console

    from preprocessing.config import read_config

    console = Console(stderr=True)
    name, data = read_config(config)
    with console.status("starting Apache Beam") as status:
        from pipelines.statistics_table import show_statistics
        from preprocessing.pipeline import preprocess as run

        run(
            data,
            name,
            config.resolve().parent,
            output,
            workers,
            beam_options or (),
            progress=status.update,
        )
    show_statistics(output, Console())
