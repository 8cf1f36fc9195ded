"""How accurate exported models are, beside tuned peers on the same split.

    python benchmarks/accuracy.py --config configs/amazon-beauty.yaml --output runs/accuracy/amazon-beauty

With several configs of the same `data:` section, for example with and without the text, each becomes a row.
Needs the extra `bench`: `pip install -e '.[bench]'`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

# Python puts the script's folder on the path, and this one's packages stand beside it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.cli.evaluate import HeldOutPart

NEEDED = ("implicit", "threadpoolctl")


def accuracy(
    config: Annotated[
        list[Path], typer.Option("--config", help="A config; more than one are compared with each other.")
    ],
    output: Annotated[Path, typer.Option("--output", help="The folder of the benchmark.")],
    part: Annotated[
        HeldOutPart,
        typer.Option("--part", help="What to judge by; `validation` is for choosing, `test` for the record."),
    ] = HeldOutPart.test,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that preprocess on this machine.")
    ] = 1,
) -> None:
    """Preprocesses, trains, exports, and compares the exported model with peers tuned on validation.

    Peers: popularity, recent popularity, item-kNN, EASE, iALS, text alone, and the two-tower model of
    TensorFlow Recommenders' tutorial. Steps that are finished are reused; after a Ctrl-C or a crash the
    same command goes on.

    The folder then holds `accuracy.json` and `accuracy.png` (of the validation part:
    `accuracy-validation.*`).
    """
    from rich.console import Console

    from preprocessing.schema import InputError

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{', '.join(missing)}: not installed; pip install -e '.[bench]'")
    console = Console(highlight=False)
    with console.status("starting Apache Beam and TensorFlow"):
        from benchmarks.comparison import Comparison
        from benchmarks.configs import read_configs

    Comparison(output, read_configs(config), part.value, workers, console).execute()


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    logging.getLogger().setLevel(logging.ERROR)  # Beam warns of Google's packages while it is imported
    from preprocessing.errors import PipelineError
    from preprocessing.schema import InputError

    try:
        typer.run(accuracy)
    except (InputError, PipelineError) as error:
        print(f"accuracy: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
