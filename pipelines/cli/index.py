"""`tandem index`: more items, or another index, for an exported model, without training."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Gives an exported model more items or another index, without training.\n\n"
    "The result is the model's next version, whole or not there at all; a running server picks it up.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Model = Annotated[
    Path,
    typer.Option("--model", help="A folder of versions, of which the newest is taken, or one version."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="The folder of versions to write to; that of the model when not given."),
]


class IndexKind(str, Enum):
    """The kinds of index."""

    scann = "scann"
    portable = "portable"


@app.command()
def add(
    model: Model,
    items: Annotated[
        Path,
        typer.Option(
            "--items", help="The new items: JSON objects, one a line, keyed by the model's columns."
        ),
    ],
    output: Output = None,
) -> None:
    """Adds items that training never saw: their texts and attributes say where they belong.

    They can be recommended at once, and count in histories and exclusions like any other. If a row cannot
    be used (no JSON, an unknown column, no id, an id that the catalogue has), it is told with its line and
    nothing is written. The index is built anew with the settings that it has.

    Training anew starts from the items table, so put them there too.

    Example: `tandem index add --model runs/shop/serving --items new.jsonl`
    """
    from rich.console import Console

    from pipelines import index

    index.add(model, items, output, Console(highlight=False))


@app.command()
def build(
    model: Model,
    index: Annotated[
        IndexKind | None,
        typer.Option("--index", help="The kind: `scann`, or `portable` of stock TensorFlow operations."),
    ] = None,
    leaves: Annotated[
        int | None, typer.Option("--leaves", metavar="N", min=1, help="How many partitions to make.")
    ] = None,
    leaves_to_search: Annotated[
        int | None,
        typer.Option("--leaves_to_search", metavar="N", min=1, help="How many of them a query reads."),
    ] = None,
    reorder: Annotated[
        int | None,
        typer.Option(
            "--reorder", metavar="N", min=1, help="`scann`: how many candidates are scored exactly."
        ),
    ] = None,
    brute_force_below: Annotated[
        int | None,
        typer.Option(
            "--brute_force_below", metavar="N", min=0, help="Up to so many items, all are scored exactly."
        ),
    ] = None,
    new_item_lift: Annotated[
        float | None,
        typer.Option(
            "--new_item_lift",
            metavar="SCORE",
            min=0,
            max=1,
            help="Added to the scores of items that training saw no interaction with.",
        ),
    ] = None,
    output: Output = None,
) -> None:
    """Builds the index anew, of another kind or with other settings; what is not given stays as it is.

    Example: `tandem index build --model runs/shop/serving --index portable`
    """
    from rich.console import Console

    from pipelines import index as versions

    sizes = {
        "leaves": leaves,
        "leaves_to_search": leaves_to_search,
        "reorder": reorder,
        "brute_force_below": brute_force_below,
    }
    given = {name: size for name, size in sizes.items() if size is not None}
    kind = index.value if index else None
    versions.build(model, kind, given, new_item_lift, output, Console(highlight=False))
