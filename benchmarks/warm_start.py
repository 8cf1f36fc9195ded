"""Compares training an older model on with training anew, when a tenth more interactions have come in.

python -m benchmarks.warm_start --config configs/movielens-100k.yaml --output runs/warm-start
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import pyarrow.compute as pc
import typer
from pyarrow import csv
from rich.console import Console
from rich.table import Table

from pipelines.config import RunConfig
from preprocessing.assets import resolve_path
from preprocessing.columns import TimeColumn
from preprocessing.config import DataConfig
from preprocessing.pipeline import preprocess
from preprocessing.schema import Schema
from trainer.config import TrainerConfig
from trainer.progress import Progress
from trainer.train import build_model, train
from trainer.validation import Validation
from trainer.warm_start import WarmStart

OLDER = 0.9
SPLIT = {"kind": "temporal", "validation": 0.05, "test": 0.05}


def compare(
    config: Annotated[Path, typer.Option(help="A config whose interactions are one tab-separated file.")],
    output: Annotated[Path, typer.Option(help="The folder to work in.")],
    epochs: Annotated[int, typer.Option(help="Of training anew.")] = 10,
    warm_epochs: Annotated[int, typer.Option(help="Of training the older model on.")] = 3,
) -> None:
    """Trains on the oldest nine tenths, then on everything, from that model and anew.

    Interactions are cut by time: 5% validate, 5% are left for testing, each part after the one before it.
    Both are judged by the validation part of all interactions, by which the best epoch of each was chosen.
    """
    console = Console()
    read = RunConfig.read(config)
    older, newer = (
        preprocessed(read, output / name, share) for name, share in (("older", OLDER), ("newer", 1.0))
    )
    anew, brief = (_with_epochs(read.trainer, each) for each in (epochs, warm_epochs))
    progress = Progress(console)
    table = Table("model", "epochs", "NDCG@10", "CPU seconds")
    train(older, output / "older" / "training", anew, progress)
    start = WarmStart(older, output / "older" / "training", anew)
    schema = Schema.read(newer)
    (output / "start").mkdir(exist_ok=True)
    model, _, _ = build_model(newer, output / "start", schema, anew, progress)
    start.into(model, newer, progress)
    before = Validation(model, newer, schema, anew).measure()["ndcg@10"]
    table.add_row("the older one as it is", "0", f"{before:.4f}", "")
    for name, settings, first in (("trained on", brief, start), ("trained anew", anew, None)):
        began = time.process_time()
        result = train(newer, output / name.replace(" ", "-"), settings, progress, start=first)
        seconds = time.process_time() - began
        table.add_row(name, f"{result.best_epoch} of {result.epochs}", f"{result.ndcg:.4f}", f"{seconds:.0f}")
    console.print(table)


def preprocessed(config: RunConfig, folder: Path, share: float) -> Path:
    """Examples of the oldest share of the interactions, cut by time."""
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = config.data.model_dump(mode="json", by_alias=True)
    table = values["interactions"]
    (time_column,) = (
        column.source or name
        for name, column in config.data.interactions.columns.items()
        if isinstance(column, TimeColumn)
    )
    source = resolve_path(table["path"], config.base)
    rows = csv.read_csv(source, parse_options=csv.ParseOptions(delimiter="\t"))
    rows = rows.take(pc.sort_indices(rows, [(time_column, "ascending")]))
    options = csv.WriteOptions(delimiter="\t", quoting_style="none")
    csv.write_csv(rows.slice(0, int(share * len(rows))), folder / "interactions.tsv", options)
    values |= {"split": SPLIT}
    table["path"] = str((folder / "interactions.tsv").resolve())
    data = DataConfig.model_validate(values)
    preprocess(data, config.name, config.base, folder / "examples")
    return folder / "examples"


def _with_epochs(config: TrainerConfig, epochs: int) -> TrainerConfig:
    return config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})


if __name__ == "__main__":
    typer.run(compare)
