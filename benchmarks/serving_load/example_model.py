"""A small real export for those who give no model: ids alone, one epoch; its answers are worth nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from rich.console import Console

from benchmarks.models import train_and_export
from pipelines.config import RunConfig
from preprocessing.pipeline import preprocess
from trainer.progress import Progress

USERS, ITEMS, CLICKS = 1000, 2000, 30
CONFIG = {
    "name": "example",
    "data": {
        "interactions": {
            "path": "clicks.tsv",
            "columns": {
                "user_id": {"kind": "id", "source": "user"},
                "item_id": {"kind": "id", "source": "item"},
                "time": {"kind": "time", "unit": "s"},
            },
        }
    },
    "model": {"item_content": False},
    "train": {"epochs": 1},
}


def example_model(folder: Path, console: Console) -> Path:
    """Makes the model unless it is there.

    Args:
      folder: for the tables, the examples and the model.
      console: where progress is printed.

    Returns:
      the folder above the model's version.
    """
    model = folder / "model"
    if any(model.glob("*/saved_model.pb")):
        return model
    folder.mkdir(parents=True, exist_ok=True)
    _write_clicks(folder / "clicks.tsv")
    (folder / "example.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    config = RunConfig.read(folder / "example.yaml")
    with console.status("preprocessing") as status:
        preprocess(config.data, config.name, config.base, folder / "examples", 1, progress=status.update)
    train_and_export(config, folder / "examples", folder, Progress(console))
    return model


def _write_clicks(path: Path) -> None:
    """Writes clicks of people on items, a few of which are much more popular than the others."""
    generator = np.random.default_rng(0)
    weight = 1 / np.arange(1, ITEMS + 1)
    rows = ["user\titem\ttime"]
    for user in range(USERS):
        items = generator.choice(ITEMS, CLICKS, replace=False, p=weight / weight.sum())
        rows += [f"user{user}\titem{item}\t{time}" for time, item in enumerate(items)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
