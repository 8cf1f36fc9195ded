"""`tandem preprocess`: raw tables to examples/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

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
    with console.status("starting Apache Beam and TensorFlow") as status:
        from preprocessing.pipeline import preprocess as run
        from preprocessing.schema import STATISTICS_FILE

        run(
            data,
            name,
            config.resolve().parent,
            output,
            workers,
            beam_options or (),
            progress=status.update,
        )
    statistics = json.loads((output / STATISTICS_FILE).read_text(encoding="utf-8"))
    _show(name, output, statistics)


def _show(name: str, output: Path, statistics: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    rows = Table(title=name, title_justify="left")
    for heading in ("table", "read", "kept", "quarantined", "filtered"):
        rows.add_column(heading, justify="left" if heading == "table" else "right")
    for table, counts in statistics["tables"].items():
        rows.add_row(
            table, *(f"{counts[column]:,}" for column in ("read", "kept", "quarantined", "filtered"))
        )
    console.print(rows)
    for table, counts in statistics["tables"].items():
        for what in ("quarantined_by_reason", "filtered_by_rule"):
            for reason, number in counts[what].items():
                console.print(
                    f"{table}: {number:,} {what.split('_')[0]}: {reason}", markup=False, highlight=False
                )
    parts = ", ".join(f"{part} {number:,}" for part, number in statistics["interactions"].items())
    console.print(
        f"{statistics['items']:,} items ({statistics['unseen_items']:,} unseen), "
        f"{statistics['users']:,} users, interactions: {parts}",
        highlight=False,
    )
    console.print(
        f"written to {output}; rejected rows are in {output}/quarantine-*.jsonl", markup=False, soft_wrap=True
    )
