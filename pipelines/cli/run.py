"""`tandem run`: the whole way, from a config to recommendations over gRPC."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path, typer.Option("--config", help="The YAML file that describes data and model.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", help="The run folder; `runs/` and the config's name by default."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that preprocess on this machine.")
    ] = 1,
) -> None:
    """Preprocesses, trains, exports, evaluates, serves, and asks for a few recommendations.

    Steps that are finished and whose inputs have not changed are reused. After a Ctrl-C or a crash, the
    same command goes on; training from its last whole epoch.

    The run folder then holds `examples/`, `training/` (with TensorBoard logs), `model/<version>/` (the
    SavedModel), `evaluation/` (with `report.html`) and `server.log`.

    Example: `tandem run --config configs/movielens-100k.yaml`.
    """
    from rich.console import Console

    from pipelines.config import RunConfig

    read = RunConfig.read(config)
    console = Console(highlight=False)
    with console.status("starting Apache Beam and TensorFlow"):
        from pipelines.run import Run

    Run(output or Path("runs") / config.stem, read, workers, console).execute()
