"""How fast a model is served, and how good and fast the indexes are.

    python benchmarks/serving.py --model runs/movielens-100k/serving --output runs/serving

Without `--model`, a small one is made first. Server, echo, callers and every index run in processes of their
own. Nothing else should run on the machine.
"""

from __future__ import annotations

import logging
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

# Python puts the script's folder on the path, and this one's packages stand beside it. In front, because in
# that folder this file would be `serving`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SWAP_CALLERS = 4


class Part(str, Enum):
    """What can be measured."""

    load = "load"
    swaps = "swaps"
    indexes = "indexes"


def serving(
    output: Annotated[Path, typer.Option("--output", help="The folder of the benchmark.")],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="The folder above a Tandem model's versions; a small one when not given."
        ),
    ] = None,
    part: Annotated[
        list[Part] | None, typer.Option("--part", help="What to measure; all of it when not given.")
    ] = None,
    callers: Annotated[
        str, typer.Option("--callers", help="How many call at once, joined by commas.")
    ] = "1,16",
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Of each single measurement.")] = 5.0,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each load is repeated.")] = 3,
    swaps: Annotated[int, typer.Option("--swaps", min=1, help="Versions to swap under load.")] = 10,
    sizes: Annotated[
        str, typer.Option("--sizes", help="Items of the indexes, joined by commas.")
    ] = "10000,100000,1000000",
    server_flag: Annotated[
        list[str] | None,
        typer.Option("--server-flag", help="A flag for `tandem serve`, as `--name=value`; may be repeated."),
    ] = None,
) -> None:
    """Measures `tandem serve` beside two floors, swaps of versions under load, and the indexes.

    The floors: a gRPC server in Python that answers the same bytes whatever is asked, and the model called
    in its own process. The indexes: ScaNN and the one of stock operations, beside brute force.

    The folder then holds `serving.json` and `serving.png`.
    """
    from rich.console import Console

    counts, items = _numbers("--callers", callers), _numbers("--sizes", sizes)
    console = Console(highlight=False)
    with console.status("starting TensorFlow"):
        from benchmarks.serving_load.load import Effort
        from benchmarks.serving_report.benchmark import Benchmark

    benchmark = Benchmark(output, model, server_flag or [], console)
    parts = {each.value for each in part or Part}
    if Part.load in parts:
        benchmark.load(Effort(counts, seconds, rounds))
    if Part.swaps in parts:
        benchmark.swaps(swaps, SWAP_CALLERS, seconds)
    if Part.indexes in parts:
        benchmark.index(items, seconds)
    benchmark.report()


def _numbers(option: str, text: str) -> list[int]:
    """Reads whole numbers above 0, joined by commas."""
    from preprocessing.schema import InputError

    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise InputError(f"{option} {text}: must be whole numbers above 0, joined by commas")
    return numbers


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    logging.getLogger().setLevel(logging.ERROR)  # Beam warns of Google's packages while it is imported
    from preprocessing.errors import PipelineError
    from preprocessing.schema import InputError
    from serving.errors import ServingError

    try:
        typer.run(serving)
    except (InputError, PipelineError, ServingError) as error:
        print(f"serving: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
