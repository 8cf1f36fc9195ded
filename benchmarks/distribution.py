"""Whether training on two parts of the CPU, or on two workers on this machine, is as good as on one device.

python benchmarks/distribution.py --config configs/movielens-100k.yaml --output runs/distribution
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

# Python puts the script's folder on the path, and this one's packages stand beside it.
sys.path[0] = str(Path(__file__).resolve().parents[1])


def distribution(
    config: Annotated[Path, typer.Option("--config", help="The config to train.")],
    output: Annotated[Path, typer.Option("--output", help="The folder of the benchmark.")],
    examples: Annotated[
        Path | None, typer.Option("--examples", help="Made already; made in --output otherwise.")
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of each training.")] = 5,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each kind.")] = 3,
) -> None:
    """Trains with each kind of distribution and seed; global batch, seeds and epochs are the same.

    What is finished is reused. The folder then holds `distribution.json` and `distribution.png`.
    """
    from rich.console import Console

    console = Console(highlight=False)
    with console.status("starting Apache Beam and TensorFlow"):
        from benchmarks.distributed.comparison import compare
        from pipelines.config import RunConfig

    compare(RunConfig.read(config), examples, output, epochs, seeds, console)


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    from preprocessing.errors import PipelineError
    from preprocessing.schema import InputError

    try:
        typer.run(distribution)
    except (InputError, PipelineError) as error:
        print(f"distribution: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
