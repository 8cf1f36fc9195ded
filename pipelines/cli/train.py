"""`tandem train`: trains and exports, as `python -m trainer.task` does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.interrupted import goes_on


def train(
    examples: Annotated[Path, typer.Option("--examples", help="The folder that `tandem preprocess` wrote.")],
    config: Annotated[
        Path, typer.Option("--config", help="The YAML file with the sections `model`, `train` and `export`.")
    ],
    training: Annotated[
        Path,
        typer.Option("--training", help="The folder for checkpoints, TensorBoard logs and training.json."),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="The folder for exported versions; without it nothing is exported."),
    ] = None,
) -> None:
    """Trains the two-tower model on preprocessed examples and exports it as a SavedModel.

    The same command goes on after an interruption from the last whole epoch; a training that is finished
    is not repeated. `tensorboard --logdir TRAINING/logs` shows the curves.

    Example: `tandem train --examples examples --config configs/movielens-100k.yaml --training training
    --model model`.
    """
    from trainer.task import run

    with goes_on():
        run(examples, config, training, model, None)
