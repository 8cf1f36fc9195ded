"""`tandem runs`: lists, compares and cleans run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Lists, compares and cleans what `tandem run` made.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Folder = Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The folder that holds run folders.")]
RUNS = Path("runs")


@app.command("list")
def list_runs(folder: Folder = RUNS) -> None:
    """Shows each run: its steps, its metrics and when it last did something, the newest first.

    Example: `tandem runs list`
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pipelines.runs.overview import runs_below
    from pipelines.steps import GRAPH

    runs = runs_below(folder)
    console = Console(highlight=False)
    if not runs:
        console.print(f"{folder}: no runs", markup=False)
        return
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    shown = [name for name in metrics if name in ("NDCG@10", "Recall@10", "RMSE", "AUC")]
    table = Table("run", "data", "steps done", *shown, "date (UTC)")
    for run in runs:
        steps = f"{len(run.done)} of {len(GRAPH.names)}" + "".join(f", {name} begun" for name in run.begun)
        values = (f"{run.metrics[name]:.4f}" if name in run.metrics else "" for name in shown)
        names = Text(run.folder.name), Text(run.lineage.name)
        table.add_row(*names, steps, *values, run.date[:16].replace("T", " "))
    console.print(table)


@app.command()
def compare(runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders.")]) -> None:
    """Shows in which keys of the config runs differ, and their metrics with what they differ by.

    Example: `tandem runs compare runs/movielens-100k runs/wider`
    """
    from rich.console import Console

    from pipelines.runs.comparison import show_comparison
    from pipelines.runs.overview import Overview
    from preprocessing.schema import InputError

    if len(runs) < 2:
        raise InputError("give two run folders or more to compare")
    show_comparison([Overview.read(run) for run in runs], Console(highlight=False))


@app.command()
def clean(
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", min=0, help="Leave so many of the newest runs as they are.")
    ],
    folder: Folder = RUNS,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Removes the examples, training folders and exported models of older runs.

    What was pushed to be served stays, and so do the lineage, the evaluation and the recommendations: a run
    is still listed and compared, and `tandem run` makes again what is gone. A run that a command is at work
    in is left alone.

    Example: `tandem runs clean --keep 3`
    """
    from rich.console import Console

    from pipelines.runs.cleaning import clean as remove
    from pipelines.runs.cleaning import removable
    from pipelines.runs.overview import runs_below

    console = Console(highlight=False, soft_wrap=True)
    old = removable(runs_below(folder), keep)
    if not old:
        console.print("nothing to remove")
        return
    for each in old:
        names = ", ".join(path.name for path in each.paths)
        console.print(f"{each.run}: {names} ({each.size / 1e6:,.1f} MB)", markup=False)
    if not yes:
        typer.confirm("Remove this?", abort=True)
    for each in old:
        if not remove(each):
            console.print(f"{each.run}: a command is at work in it, left alone", markup=False)
