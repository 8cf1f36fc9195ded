"""Compares training on one device with training on two parts of the CPU and on two workers on this machine.

python -m benchmarks.distribution --config configs/movielens-100k.yaml --output runs/distribution

Global batch, seeds and epochs are the same; `distribution.json` and a table hold validation NDCG@10.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.examples import make_examples
from pipelines.config import RunConfig
from trainer.config import TrainerConfig
from trainer.result import TrainResult

KINDS: dict[str, dict[str, Any]] = {
    "one device": {"kind": "one"},
    "two parts of the CPU": {"kind": "mirrored", "devices": 2},
    "two workers": {"kind": "multi_worker", "workers": 2},
}


def compare(
    config: Annotated[Path, typer.Option(help="The config to train.")],
    output: Annotated[Path, typer.Option(help="The folder to work in.")],
    examples: Annotated[Path | None, typer.Option(help="Made already; made in --output otherwise.")] = None,
    epochs: Annotated[int, typer.Option(help="Of each training.")] = 5,
    seeds: Annotated[int, typer.Option(help="Trainings of each kind.")] = 3,
) -> None:
    """Trains with each kind of distribution and seed; what was trained already is taken as it is."""
    console = Console()
    read = RunConfig.read(config)
    made = examples or make_examples(read, read.name, output, console)
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for seed in range(seeds):
        for kind, distribution in KINDS.items():
            folder = output / kind.replace(" ", "-") / str(seed)
            changes = {"epochs": epochs, "seed": seed, "refit": False, "distribution": distribution}
            results[kind].append(_train(made, folder, read.trainer, changes))
            (output / "distribution.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    table = Table("training on", "NDCG@10 of each seed", "mean", "lead", "standard error", "seconds")
    one = [result["ndcg"] for result in results["one device"]]
    for kind, found in results.items():
        values = [result["ndcg"] for result in found]
        leads = [value - other for value, other in zip(values, one, strict=True)]
        error = statistics.stdev(leads) / len(leads) ** 0.5 if len(leads) > 1 else 0.0
        table.add_row(
            kind,
            " ".join(f"{value:.4f}" for value in values),
            f"{statistics.mean(values):.4f}",
            f"{statistics.mean(leads):+.4f}",
            f"{error:.4f}",
            f"{statistics.mean(result['seconds'] for result in found):.0f}",
        )
    console.print(table)


def _train(examples: Path, folder: Path, config: TrainerConfig, changes: dict[str, Any]) -> dict[str, float]:
    """Trains in a process of its own, in which TensorFlow can still part the CPU."""
    folder.mkdir(parents=True, exist_ok=True)
    times = folder / "seconds"
    result = TrainResult.read(folder / "training")
    if result is None or not times.exists():
        values = config.model_dump(mode="json", by_alias=True)
        values["train"] |= changes
        (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        began = time.monotonic()
        command = [sys.executable, "-m", "pipelines.cli", "train", "--examples", str(examples)]
        command += ["--config", str(folder / "config.yaml"), "--training", str(folder / "training")]
        subprocess.run(command, check=True)
        times.write_text(f"{time.monotonic() - began:.1f}", encoding="utf-8")
        result = TrainResult.read(folder / "training")
    assert result is not None
    return {"ndcg": result.ndcg, "seconds": float(times.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    typer.run(compare)
