"""`tandem evaluate`: judges an exported model as a client sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from pipelines.cli.connection import CaCertificate, ClientCertificate, ClientKey, Tls, credentials
from preprocessing.schema import InputError

if TYPE_CHECKING:
    import grpc

    from serving.predictor import Predictor

CALL_SECONDS = 120.0
"""A call asks for many users at once, and the first one also warms the model up."""


class HeldOutPart(str, Enum):
    """The parts of a split that nothing is trained on."""

    validation = "validation"
    test = "test"


def evaluate(
    examples: Annotated[
        Path, typer.Option("--examples", help="The examples folder that the model was trained on.")
    ],
    model: Annotated[
        str,
        typer.Option("--model", help="A SavedModel, or a folder of versions, of which the newest is taken."),
    ] = "",
    server: Annotated[
        str, typer.Option("--server", help="A running server, as `host:port`, instead of a model.")
    ] = "",
    model_name: Annotated[
        str, typer.Option("--model_name", help="The model's name on the server.")
    ] = "default",
    tls: Tls = False,
    ca_certificate: CaCertificate = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    part: Annotated[HeldOutPart, typer.Option("--part", help="What to judge by.")] = HeldOutPart.test,
    output: Annotated[
        Path | None, typer.Option("--output", help="Also write the numbers here, as JSON.")
    ] = None,
) -> None:
    """Compares a model with simple peers on the same split.

    The model is asked through its signatures alone, as any client would. The whole catalogue is ranked
    for each held-out interaction, the user's history left out; ties count half, nothing is sampled.

    Peers: EASE, item-kNN, text alone, popularity, recent popularity, and for ratings user and item biases;
    what they leave open is chosen on the validation part. Slices (unseen items, new users, popular and rare
    items, lengths of history) and what the lists are like are shown as well; the JSON holds everything.

    Examples: `tandem evaluate --model runs/shop/model --examples runs/shop/examples`,
    `tandem evaluate --server localhost:8500 --examples runs/shop/examples --output metrics.json`.
    """
    from pipelines.evaluation.judge import judge

    if bool(model) == bool(server):
        raise InputError("give either --model (a folder) or --server (host:port)")
    tls_credentials = credentials(tls, ca_certificate, client_certificate, client_key)
    with (
        _connected(server, model_name, tls_credentials) if server else _loaded(model) as predictor,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        report = judge(predictor, examples, part.value, progress)
    report.print(Console())
    if output is not None:
        report.write(output)


def saved_model_folder(path: str) -> str:
    """The folder to load: the path itself, or the newest version below it.

    Raises:
      InputError: there is neither.
    """
    import tensorflow as tf

    from serving.models import versions

    if tf.io.gfile.exists(f"{path}/saved_model.pb"):
        return path
    if not tf.io.gfile.isdir(path):
        raise InputError(f"--model {path}: no such folder")
    found = versions.find(path)
    if not found:
        raise InputError(
            f"--model {path}: neither a SavedModel nor a folder of versions; `tandem train` exports one"
        )
    return found[max(found)]


@contextlib.contextmanager
def _loaded(path: str) -> Iterator[Predictor]:
    from serving.models.saved_model import LoadedModel

    with contextlib.closing(LoadedModel(saved_model_folder(path))) as model:
        yield model


@contextlib.contextmanager
def _connected(
    target: str, model_name: str, tls_credentials: grpc.ChannelCredentials | None
) -> Iterator[Predictor]:
    from serving.client import Client

    with Client(target, model_name, CALL_SECONDS, tls_credentials) as client:
        yield client
