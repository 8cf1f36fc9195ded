"""`tandem run`: the whole way, from a config to recommendations over gRPC."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.interrupted import goes_on


def run(
    config: Annotated[Path, typer.Option("--config", help="The YAML file that describes data and model.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", help="The run folder; `runs/` and the config's name by default."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that preprocess on this machine.")
    ] = 1,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            "--warm-start",
            metavar="RUN",
            help="A run folder, of earlier days, whose model is trained on instead of a new one.",
        ),
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(
            "--force",
            metavar="STEP",
            help="Do this step again though nothing has changed; may be given more than once.",
        ),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="Take the artifacts that this step needs as they are, whatever has changed since.",
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--until", metavar="STEP", help="Do only this step and what it needs."),
    ] = None,
) -> None:
    """Preprocesses, trains, exports, evaluates, blesses, pushes, and asks for a few recommendations.

    The steps are `preprocess`, `train`, `export`, `evaluate`, `bless`, `push` and `recommend`. A step is
    reused unless its inputs, its part of the config or Tandem's code for it has changed. After a Ctrl-C or a
    crash, the same command goes on; training from its last whole epoch.

    A model that does not hold all of `evaluate.require` is not pushed: the run ends there with status 1.

    The run folder then holds `examples/`, `training/` (with TensorBoard logs), `model/<version>/` (the
    SavedModel), `evaluation/` (with `report.html`), `serving/<version>/` (what was pushed, unless
    `push.folder` says otherwise), `recommendations.txt` and `lineage.json`, which says how each of them came
    about.

    Example: `tandem run --config configs/movielens-100k.yaml`.
    """
    from rich.console import Console

    from pipelines.config import RunConfig
    from pipelines.runs.display import Display
    from pipelines.runs.errors import NotBlessedError
    from pipelines.runs.job import Job
    from pipelines.runs.run import Run
    from pipelines.runs.selection import Selection
    from pipelines.steps import GRAPH
    from pipelines.work.push import serving_folder

    read = RunConfig.read(config)
    read.check_alone()
    selection = Selection(tuple(force or ()), first, last)
    console = Console(highlight=False)
    folder = output or Path("runs") / config.stem
    job = Job(folder, read, workers, warm_start, Display(console, GRAPH.names), {})
    try:
        with goes_on():
            Run(GRAPH, selection, job).execute()
    except NotBlessedError as error:
        print(f"tandem: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if "push" in job.artifacts:
        serving = serving_folder(read, folder)
        console.print(f"Serve it: tandem serve --model_base_path={serving}", markup=False, soft_wrap=True)
