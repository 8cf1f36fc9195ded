"""`tandem tune`: searches the config's own keys for the best values."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.interrupted import goes_on
from preprocessing.schema import InputError


def tune(
    config: Annotated[
        Path, typer.Option("--config", help="The config; its section `tune` says what to search.")
    ],
    output: Annotated[
        Path, typer.Option("--output", help="The folder of the search; processes that name it share it.")
    ],
    trials: Annotated[
        int,
        typer.Option("--trials", min=1, help="How many in all, those of earlier commands included."),
    ],
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, help="Processes that do trials on this machine.")
    ] = 1,
) -> None:
    """Tries values for keys of `model` and `train`, and writes the best config.

    Each trial trains on the same examples, which are preprocessed once; trials that do poorly are given up
    early. After a Ctrl-C or a crash the same command goes on, training from its last whole epoch. The same
    command elsewhere with the same `--output`, say on a shared disk, helps.

    The folder then holds `best.yaml`, ready for `tandem run`, `trials.csv`, `trials.png`, and logs for
    `tensorboard --logdir OUTPUT/logs`.

    Example: `tandem tune --config configs/movielens-100k-tune.yaml --output runs/tuning --trials 30`.
    """
    from rich.console import Console

    if importlib.util.find_spec("optuna") is None:
        raise InputError("optuna is missing; `pip install -c constraints.txt -e '.[tune]'` brings it")
    console = Console(highlight=False)
    with console.status("starting Optuna and TensorFlow"):
        from pipelines.hyperparameters.tuning import tune as search

    with goes_on():
        search(config, output, trials, parallel, console)
