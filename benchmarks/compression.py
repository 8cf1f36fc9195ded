"""What a smaller model costs and gains: fewer layers, a narrower embedding, a quantised index; and tuning.

python benchmarks/compression.py --output runs/compression
"""

from __future__ import annotations

import logging
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

# Python puts the script's folder on the path, and this one's packages stand beside it.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


class Groups(str, Enum):
    """What is varied."""

    layers = "layers"
    dimensions = "dimensions"
    indexes = "indexes"
    modes = "modes"


def compression(
    output: Annotated[Path, typer.Option("--output", help="The folder of the benchmark.")],
    config: Annotated[Path, typer.Option("--config", help="The config that is varied.")] = ROOT
    / "configs/movielens-100k.yaml",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Epochs of each training.")] = 3,
    group: Annotated[
        list[Groups],
        typer.Option("--group", help="What is varied: all but the slow `modes` when not given."),
    ] = [Groups.layers, Groups.dimensions, Groups.indexes],  # noqa: B006 (typer copies it)
) -> None:
    """Trains variants of a config for a few epochs and measures size, speed and validation NDCG@10 of each.

    What is finished is reused, but not its seconds an epoch. The folder then holds `compression.json` and
    `compression.png`.
    """
    from rich.console import Console

    console = Console(highlight=False)
    with console.status("starting Apache Beam and TensorFlow"):
        from benchmarks.compressed.comparison import compare

    compare(config, output, epochs, [each.value for each in group], console)


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    logging.getLogger().setLevel(logging.ERROR)  # Beam warns of Google's packages while it is imported
    from preprocessing.errors import PipelineError
    from preprocessing.schema import InputError

    try:
        typer.run(compression)
    except (InputError, PipelineError) as error:
        print(f"compression: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
