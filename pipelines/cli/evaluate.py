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

from pipelines.cli.connection import (
    ANSWER_SECONDS,
    CaCertificate,
    ClientCertificate,
    ClientKey,
    Tls,
    checked_address,
    credentials,
    is_address,
)
from preprocessing.schema import InputError, Schema

if TYPE_CHECKING:
    import grpc

    from pipelines.evaluation.model_version import ModelVersion
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
        str | None,
        typer.Option(
            "--server",
            help="A running server, as `host:port`, instead of a model.",
            callback=lambda address: None if address is None else checked_address(address),
        ),
    ] = None,
    model_name: Annotated[
        str, typer.Option("--model_name", help="The model's name on the server.")
    ] = "default",
    tls: Tls = False,
    ca_certificate: CaCertificate = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    part: Annotated[HeldOutPart, typer.Option("--part", help="What to judge by.")] = HeldOutPart.test,
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline",
            metavar="MODEL",
            help="Another model to compare with, case by case: a folder as for --model, or a server's "
            "`host:port`.",
        ),
    ] = "",
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="REQUIREMENT",
            help='What must hold, such as `"ndcg@10>=0.1"` or `"ndcg@10[unseen]>0"`; may be given more '
            "than once.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A folder for `metrics.json`, `blessing.json` and `report.html`."),
    ] = None,
) -> None:
    """Compares a model with simple peers on the same split.

    The model is asked through its signatures alone, as any client would. The whole catalogue is ranked
    for each held-out interaction, the user's history left out; ties count half, nothing is sampled.

    Peers: EASE, item-kNN, text alone, popularity, recent popularity, and for ratings user and item biases;
    what they leave open is chosen on the validation part. Slices (unseen items, new users, popular and rare
    items, lengths of history) and what the lists are like are shown as well; the JSON holds everything.

    With --baseline a second model is judged by the same cases and draws, and compared slice by slice.

    A model is blessed when it holds all that is required; if not, the exit status is 1.

    Examples: `tandem evaluate --model runs/shop/model --examples runs/shop/examples`,
    `tandem evaluate --server localhost:8500 --examples runs/shop/examples --output evaluation
    --require "ndcg@10>=0.1"`.
    """
    from pipelines.evaluation.judge import Baseline, judge
    from pipelines.evaluation.output import write_evaluation
    from pipelines.evaluation.requirements import Requirement, bless

    requirements = [Requirement.parse(text) for text in require or ()]
    if bool(model) == (server is not None):
        raise InputError("give either --model (a folder) or --server (host:port)")
    if requirements:
        labelled = Schema.read(examples).label is not None
        for requirement in requirements:
            requirement.check(labelled)
    tls_credentials = credentials(tls, ca_certificate, client_certificate, client_key)
    with contextlib.ExitStack() as opened:
        ours = _connected(server, model_name, tls_credentials) if server else _loaded("--model", model)
        predictor, version = opened.enter_context(ours)
        rival = None
        if is_address(baseline):
            rival = Baseline(*opened.enter_context(_connected(baseline, model_name, tls_credentials)))
        elif baseline:
            rival = Baseline(*opened.enter_context(_loaded("--baseline", baseline)))
        progress = opened.enter_context(Progress(console=Console(stderr=True), transient=True))
        report = judge(predictor, examples, part.value, progress, version, rival)
    console = Console()
    report.print(console)
    blessing = bless(report, requirements)
    blessing.print(console)
    if output is not None:
        write_evaluation(output, report, blessing)
    if not blessing.blessed:
        raise typer.Exit(1)


def saved_model_folder(option: str, path: str) -> str:
    """The folder to load: the path itself, or the newest version below it.

    Raises:
      InputError: there is neither.
    """
    import tensorflow as tf

    from serving.models import versions

    if tf.io.gfile.exists(f"{path}/saved_model.pb"):
        return path
    if not tf.io.gfile.isdir(path):
        raise InputError(f"{option} {path}: no such folder")
    found = versions.find(path)
    if not found:
        raise InputError(
            f"{option} {path}: neither a SavedModel nor a folder of versions; `tandem train` exports one"
        )
    return found[max(found)]


@contextlib.contextmanager
def _loaded(option: str, path: str) -> Iterator[tuple[Predictor, ModelVersion]]:
    from pipelines.evaluation.model_version import ModelVersion
    from serving.models.saved_model import LoadedModel

    folder = saved_model_folder(option, path)
    with contextlib.closing(LoadedModel(folder)) as model:
        yield model, ModelVersion.of_folder(folder)


@contextlib.contextmanager
def _connected(
    target: str, model_name: str, tls_credentials: grpc.ChannelCredentials | None
) -> Iterator[tuple[Predictor, ModelVersion]]:
    """A client, and the version it is answered by.

    Raises:
      InputError: when it is done, another version is served.
    """
    from pipelines.evaluation.model_version import ModelVersion
    from serving.client import Client

    with Client(target, model_name, CALL_SECONDS, tls_credentials) as client:
        with Console(stderr=True).status(f"waiting up to {ANSWER_SECONDS:g} s for {model_name} at {target}"):
            version = ModelVersion.of_server(client, ANSWER_SECONDS)
        yield client, version
        if ModelVersion.of_server(client, ANSWER_SECONDS) != version:
            raise InputError(
                f"{target}: began to serve another version than {version.number} while it was judged; "
                "do it again"
            )
