"""`tandem search`: asks a running server in plain language, and shows what was understood and found."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from pipelines.cli.connection import CaCertificate, ClientCertificate, ClientKey, Tls, credentials
from pipelines.cli.recommend import item_ids


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is wanted, and what is not, in words.")],
    user: Annotated[
        str, typer.Option("--user", metavar="ID", help="Who asks; their stored history counts.")
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
    personal: Annotated[
        float | None,
        typer.Option(
            "--personal",
            metavar="SHARE",
            min=0.0,
            max=1.0,
            help="How much the person counts: 0 is the words alone, 1 the person alone; the model's own if "
            "not given. Of somebody without a history the words alone count.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("--k", metavar="N", min=1, help="How many to show.")] = 10,
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
    """Searches in plain language, English or Chinese, by way of a running `tandem serve`.

    The query is taken apart into interests, of which each has a weight; what is not wanted ("no horror",
    "不要恐怖片") pushes items away. Bars show how well each item matches each interest.

    Examples: `tandem search "slow dramas, but also 80s science fiction with robots, nothing violent"`,
    `tandem search "space adventures" --user 196 --personal 0.5 --json`.
    """
    from rich.console import Console

    from pipelines.searches import show
    from serving.client import Client

    tls_credentials = credentials(tls, ca_certificate, client_certificate, client_key)
    with Client(server, model_name, timeout, tls_credentials) as client:
        answer = client.search(query, user, item_ids(history), item_ids(exclude), personal, k)
    if as_json:
        print(json.dumps(dataclasses.asdict(answer), ensure_ascii=False, indent=2))
    else:
        show(answer, Console(highlight=False))
