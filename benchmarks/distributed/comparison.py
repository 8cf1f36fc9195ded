"""Trains with each kind of distribution, the global batch and the seed being the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmarks.distributed.report import Result, draw, table, write_record
from benchmarks.examples import make_examples
from pipelines.config import RunConfig
from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.result import TrainResult

ROOT = Path(__file__).resolve().parents[2]
KINDS: Mapping[str, Mapping[str, Any]] = {
    "one device": {"kind": "one"},
    "two parts of the CPU": {"kind": "mirrored", "devices": 2},
    "two workers": {"kind": "multi_worker", "workers": 2},
}


def compare(
    config: RunConfig, examples: Path | None, output: Path, epochs: int, seeds: int, console: Console
) -> None:
    """Trains with each kind and seed; writes `distribution.json` and `distribution.png` after each.

    What was trained already is taken as it is.

    Args:
      config: to train; it is not refitted.
      examples: made already; made in `output` when None.
      output: the folder to work in.
      epochs: of each training.
      seeds: trainings of each kind.
      console: where the results are printed.

    Raises:
      InputError: the config cannot be used, or a training failed.
    """
    made = examples or make_examples(config, config.name, output, console)
    results: dict[str, list[Result]] = {kind: [] for kind in KINDS}
    for seed in range(seeds):
        for kind, distribution in KINDS.items():
            folder = output / kind.replace(" ", "-") / str(seed)
            changes = {"epochs": epochs, "seed": seed, "refit": False, "distribution": dict(distribution)}
            results[kind].append(_train(made, folder, config.trainer, changes))
            write_record(output / "distribution.json", results)
            draw(results, output / "distribution.png")
    console.print(table(results))


def _train(examples: Path, folder: Path, config: TrainerConfig, changes: Mapping[str, Any]) -> Result:
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
    return Result(result.ndcg, float(times.read_text(encoding="utf-8")))
