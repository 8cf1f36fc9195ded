"""`tandem vertex`: the steps of a run as a pipeline on Vertex AI."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from preprocessing.errors import PipelineError
from preprocessing.schema import InputError

app = typer.Typer(
    help="Runs preprocessing, training, evaluation and the push of a blessed model on Vertex AI.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Config = Annotated[
    Path, typer.Option("--config", help="The config; its section `vertex` says where and on what to run.")
]


@app.command("compile")
def compile_pipeline(
    config: Config,
    output: Annotated[Path, typer.Option("--output", help="The file to write.")] = Path("pipeline.yaml"),
) -> None:
    """Writes the pipeline's specification, which Vertex AI's console and clients take.

    It needs neither credentials nor a network.

    Example: `tandem vertex compile --config configs/shop-vertex.yaml --output pipeline.yaml`
    """
    _check_installed()
    from pipelines.vertex.config import VertexRun
    from pipelines.vertex.specification import compile_to

    compile_to(VertexRun.read(config), output)
    print(f"wrote {output}")


@app.command()
def submit(
    config: Config,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request as JSON, and send nothing.")
    ] = False,
) -> None:
    """Starts the pipeline on Vertex AI, with the credentials of `gcloud auth application-default login`.

    Example: `tandem vertex submit --config configs/shop-vertex.yaml --dry-run`
    """
    _check_installed()
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    from pipelines.vertex.config import VertexRun
    from pipelines.vertex.request import connect, make_request, send, shown

    run = VertexRun.read(config)
    request = make_request(run, datetime.now(timezone.utc))
    if dry_run:
        print(shown(request))
        return
    try:
        name = send(connect(run.vertex.region), request)
    except GoogleAuthError as error:
        raise InputError(f"no credentials for Google Cloud: {error}") from None
    except GoogleAPICallError as error:
        raise PipelineError(f"Vertex AI did not take the run: {error}") from error
    print(f"started {name}")


def _check_installed() -> None:
    try:
        import google.cloud.aiplatform_v1
        import google_cloud_pipeline_components
        import kfp

        del google, google_cloud_pipeline_components, kfp
    except ImportError as error:
        raise InputError(
            f"{error.name} is missing; `pip install -c constraints.txt -e '.[vertex]'` brings it"
        ) from None
