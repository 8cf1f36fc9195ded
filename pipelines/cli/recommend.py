"""`tandem recommend`: asks a running server what to recommend, and prints it with titles and reasons."""

from __future__ import annotations

import dataclasses
import json

from pipelines.cli.asking import AsJson, Count, Exclude, History, ModelName, Server, Timeout, User, item_ids
from pipelines.cli.connection import (
    ANSWER_SECONDS,
    CaCertificate,
    ClientCertificate,
    ClientKey,
    Tls,
    credentials,
)


def recommend(
    user: User = "",
    history: History = "",
    exclude: Exclude = "",
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
