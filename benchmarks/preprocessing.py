"""How fast preprocessing is, and how much memory it takes, beside a polars script that does the same work.

    python benchmarks/preprocessing.py --output runs/preprocessing

Needs the extra `bench`: `pip install -e '.[bench]'`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

# Python puts the script's folder on the path, where `preprocessing` is this file and not the package.
ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)


def preprocessing(
    output: Annotated[Path, typer.Option("--output", help="The folder of the benchmark.")],
    rows: Annotated[
        str, typer.Option("--rows", help="Interactions of each generated table, with commas between.")
    ] = "1000000,10000000",
    language_model: Annotated[
        str, typer.Option("--language-model", help="Whose word pieces the titles are cut into.")
    ] = "asset://all-minilm-l6-v2",
) -> None:
    """Measures `tandem preprocess` with 1 and 2 workers and a polars script, each in a process of its own.

    What is finished is reused. The folder then holds `preprocessing.json` and `preprocessing.png`.
    """
    from rich.console import Console

    from preprocessing.schema import InputError

    sizes = [size.strip() for size in rows.split(",")]
    wrong = [size for size in sizes if not size.isdecimal() or int(size) < 1000]
    if wrong:
        raise InputError(f"--rows: {', '.join(map(repr, wrong))}: whole numbers from 1000 on are allowed")
    console = Console(highlight=False)
    with console.status("starting"):
        from benchmarks.preprocessed.comparison import compare

    compare([int(size) for size in sizes], output, language_model, console)


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    from preprocessing.schema import InputError

    try:
        typer.run(preprocessing)
    except InputError as error:
        print(f"preprocessing: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
