"""`tandem search`: asks a running server in plain language, and shows what was understood and found."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from pipelines.cli.asking import AsJson, Count, Exclude, History, ModelName, Server, Timeout, User, item_ids
from pipelines.cli.connection import (
    ANSWER_SECONDS,
    CaCertificate,
    ClientCertificate,
    ClientKey,
    Tls,
    credentials,
)


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is wanted, and what is not, in words.")],
    user: User = "",
    history: History = "",
    exclude: Exclude = "",
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
    k: Count = 10,
    server: Server = "localhost:8500",
    model_name: ModelName = "default",
    timeout: Timeout = ANSWER_SECONDS,
    tls: Tls = False,
    ca_certificate: CaCertificate = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    as_json: AsJson = False,
) -> None:
    """Searches in plain language, by way of a running `tandem serve`.

    English, or Chinese where the model was made with a language model that reads Chinese.

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
