"""Options of the commands that ask a server for items."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from pipelines.cli.connection import checked_address

User = Annotated[
    str, typer.Option("--user", metavar="ID", help="The user's id; their stored history counts.")
]
History = Annotated[
    str,
    typer.Option(
        "--history",
        metavar="IDS",
        help="Item ids, the newest last, such as `50,181`, instead of the stored history.",
    ),
]
Exclude = Annotated[str, typer.Option("--exclude", metavar="IDS", help="Item ids that must not come back.")]
Count = Annotated[int, typer.Option("--k", metavar="N", min=1, help="How many items to show.")]
Server = Annotated[
    str,
    typer.Option(
        "--server", metavar="HOST:PORT", help="The model server, as `host:port`.", callback=checked_address
    ),
]
ModelName = Annotated[str, typer.Option("--model_name", metavar="NAME", help="The model's name there.")]
LONGEST_SECONDS = 3600.0


def _checked_seconds(seconds: float) -> float:
    if math.isnan(seconds):  # which is beyond no bound
        raise typer.BadParameter("a number is needed")
    return seconds


Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        max=LONGEST_SECONDS,
        help="Seconds to wait for an answer.",
        callback=_checked_seconds,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def item_ids(text: str) -> list[str]:
    """The ids in an option such as `50,181`."""
    return [item.strip() for item in text.split(",") if item.strip()]
