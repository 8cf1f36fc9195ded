"""`tandem recommend`: asks a running server what to recommend, and prints it with titles and reasons."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from pipelines.cli.connection import CaCertificate, ClientCertificate, ClientKey, Tls, credentials


def recommend(
    user: Annotated[
        str, typer.Option("--user", metavar="ID", help="The user's id; their stored history counts.")
    ] = "",
    history: Annotated[
        str,
        typer.Option(
            "--history",
            metavar="IDS",
            help="Item ids, the newest last, such as `50,181`, instead of the stored history.",
        ),
    ] = "",
    exclude: Annotated[
        str, typer.Option("--exclude", metavar="IDS", help="Item ids that must not come back.")
    ] = "",
    k: Annotated[int, typer.Option("--k", metavar="N", min=1, help="How many to recommend.")] = 10,
    server: Annotated[
        str, typer.Option("--server", metavar="HOST:PORT", help="The model server, as `host:port`.")
    ] = "localhost:8500",
    model_name: Annotated[
        str, typer.Option("--model_name", metavar="NAME", help="The model's name there.")
    ] = "default",
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Seconds to wait for an answer.")
    ] = 10.0,
    tls: Tls = False,
    ca_certificate: CaCertificate = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Recommends items to one user, by way of a running `tandem serve`.

    Give a user, a history or both; with neither, the answer is what suits somebody nobody knows. A user
    or an item that the model has never seen is no error: the answer rests on what else it knows.

    Examples: `tandem recommend --user 196`, `tandem recommend --history 50,181 --k 5`.
    """
    from rich.console import Console

    from pipelines.recommendations import ask, show
    from serving.client import Client

    tls_credentials = credentials(tls, ca_certificate, client_certificate, client_key)
    with Client(server, model_name, timeout, tls_credentials) as client:
        answer = ask(client, user, item_ids(history), item_ids(exclude), k)
    if as_json:
        print(json.dumps(dataclasses.asdict(answer), ensure_ascii=False, indent=2))
    else:
        show(answer, Console(highlight=False))


def item_ids(text: str) -> list[str]:
    """The ids in an option such as `50,181`."""
    return [item.strip() for item in text.split(",") if item.strip()]
