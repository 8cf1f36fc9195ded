"""How well `search` finds what a query asks for, beside peers.

    python benchmarks/search.py --config configs/movielens-1m.yaml --output runs/search

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


def search(
    config: Annotated[Path, typer.Option("--config", help="Of the model; items need texts and attributes.")],
    output: Annotated[Path, typer.Option("--output", help="The folder of the benchmark.")],
    queries: Annotated[int, typer.Option("--queries", min=3, help="How many are asked.")] = 2400,
    held_out: Annotated[
        int, typer.Option("--held-out", min=1, help="Items that are kept from training and asked for.")
    ] = 700,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Instead of the config's; search needs no behaviour.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Of items and queries.")] = 0,
) -> None:
    """Holds items out, trains without them, adds them as `tandem index add` does, and asks for them.

    Queries join one to three interests of an item: attributes, and quotations of a sentence that is withheld
    from everybody. In 30% something is not wanted that the item does not have. Who answers: the model as it
    is and without parts of it, BM25, and the language model's text vectors, all by the same documents.

    Steps that are finished are reused; after a Ctrl-C or a crash the same command goes on. The folder then
    holds `search.json`, `search.png` and `queries.jsonl`.
    """
    from rich.console import Console

    from preprocessing.schema import InputError

    if importlib.util.find_spec("bm25s") is None:
        raise InputError("bm25s: not installed; pip install -e '.[bench]'")
    console = Console(highlight=False)
    with console.status("starting Apache Beam and TensorFlow"):
        from benchmarks.search_queries.benchmark import Draw, SearchBenchmark
        from pipelines.config import RunConfig

    logging.getLogger("bm25s").setLevel(logging.ERROR)  # imported, it tells everything
    drawn = Draw(held_out, queries, seed)
    SearchBenchmark(output, RunConfig.read(config), epochs, drawn, console).execute()


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as `tandem serve` does, whose calls are timed
    logging.getLogger().setLevel(logging.ERROR)  # Beam warns of Google's packages while it is imported
    from preprocessing.errors import PipelineError
    from preprocessing.schema import InputError

    try:
        typer.run(search)
    except (InputError, PipelineError) as error:
        print(f"search: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
