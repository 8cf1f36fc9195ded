"""Whether training on two parts of the CPU, or on two workers on this machine, is as good as on one device.

    python benchmarks/distribution.py --config configs/movielens-100k.yaml --output runs/distribution

Global batch, seeds and epochs are the same; `distribution.json` and a table hold validation NDCG@10.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

# Python puts the script's folder on the path, and this one's packages stand beside it.
ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs

from benchmarks.examples import make_examples  # noqa: E402
from benchmarks.record import machine  # noqa: E402
from pipelines.config import RunConfig  # noqa: E402
from preprocessing.errors import PipelineError  # noqa: E402
from preprocessing.schema import InputError, write_whole  # noqa: E402
from trainer.config import TrainerConfig  # noqa: E402
from trainer.result import TrainResult  # noqa: E402

KINDS: dict[str, dict[str, Any]] = {
    "one device": {"kind": "one"},
    "two parts of the CPU": {"kind": "mirrored", "devices": 2},
    "two workers": {"kind": "multi_worker", "workers": 2},
}


def compare(
    config: Annotated[Path, typer.Option(help="The config to train.")],
    output: Annotated[Path, typer.Option(help="The folder to work in.")],
    examples: Annotated[Path | None, typer.Option(help="Made already; made in --output otherwise.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of each training.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each kind.")] = 3,
) -> None:
    """Trains with each kind of distribution and seed; what was trained already is taken as it is."""
    console = Console(highlight=False)
    read = RunConfig.read(config)
    made = examples or make_examples(read, read.name, output, console)
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for seed in range(seeds):
        for kind, distribution in KINDS.items():
            folder = output / kind.replace(" ", "-") / str(seed)
            changes = {"epochs": epochs, "seed": seed, "refit": False, "distribution": distribution}
            results[kind].append(_train(made, folder, read.trainer, changes))
            record = {
                "command": shlex.join(sys.argv),
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "machine": machine(),
                "results": results,
            }
            write_whole(output / "distribution.json", (json.dumps(record, indent=1) + "\n").encode())
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
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        if subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False).returncode:
            raise InputError(f"{folder}: the training failed; what it said stands above")
        times.write_text(f"{time.monotonic() - began:.1f}", encoding="utf-8")
        result = TrainResult.read(folder / "training")
    assert result is not None
    return {"ndcg": result.ndcg, "seconds": float(times.read_text(encoding="utf-8"))}


def main() -> None:
    """Runs the command line; what the user can mend is one message, with status 2."""
    try:
        typer.run(compare)
    except (InputError, PipelineError) as error:
        print(f"distribution: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
