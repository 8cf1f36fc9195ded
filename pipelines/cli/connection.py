"""Options of the commands that call a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import grpc

ANSWER_SECONDS = 10.0
"""How long a server may take to answer, or to be ready, unless the user allows more."""

ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/]+):(\d{1,5})|unix:.+")


def is_address(text: str) -> bool:
    """Whether it is `host:port`, `[IPv6]:port` or `unix:path`."""
    match = ADDRESS.fullmatch(text)
    return match is not None and (match[1] is None or 0 < int(match[1]) < 2**16)


def checked_address(text: str) -> str:
    """Takes what a server is called by.

    Raises:
      BadParameter: it is no address.
    """
    if not is_address(text):
        raise typer.BadParameter(f"expected host:port, [IPv6]:port or unix:path (found {text!r})")
    return text


Tls = Annotated[
    bool, typer.Option("--tls", help="Connect by TLS; any of the certificates below means this too.")
]
CaCertificate = Annotated[
    Path | None,
    typer.Option(
        "--ca_certificate",
        metavar="PEM",
        help="Who vouches for the server; the usual authorities when not given.",
    ),
]
ClientCertificate = Annotated[
    Path | None,
    typer.Option("--client_certificate", metavar="PEM", help="For servers that verify their clients."),
]
ClientKey = Annotated[
    Path | None, typer.Option("--client_key", metavar="PEM", help="The key of the client's certificate.")
]


def credentials(
    tls: bool, ca_certificate: Path | None, client_certificate: Path | None, client_key: Path | None
) -> grpc.ChannelCredentials | None:
    """Reads what the options name; None connects without TLS.

    Raises:
        ServingError: a file cannot be read, or one of certificate and key is missing.
    """
    from serving import channels

    if not tls and not any((ca_certificate, client_certificate, client_key)):
        return None
    return channels.tls(ca_certificate, client_certificate, client_key)
