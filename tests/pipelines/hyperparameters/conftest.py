import csv
from pathlib import Path

import pytest
import yaml

from tests.trainer.conftest import data_config, write_tables

SEARCH = {
    # The second learns nothing, so it is given up.
    "train.learning_rate": {"values": [0.01, 1e-9, 0.005]},
}


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of trials.csv."""
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def write_config(tmp_path_factory, tiny_bert):
    """Writes a config of tiny tables with a `tune:` section; gives its path."""
    folder = tmp_path_factory.mktemp("tuning")
    write_tables(folder)

    def write(name: str, search: object, **tune: object) -> Path:
        config = {
            "name": "tiny",
            "data": data_config(tiny_bert).model_dump(mode="json", by_alias=True, exclude_none=True),
            "model": {"dimension": 16, "history": 8, "blocks": 1, "dropout": 0.1},
            "train": {"epochs": 5, "batch_size": 16, "learning_rate": 0.01, "patience": 5},
            "export": {"k": 10, "candidates": 20},
            "tune": {"search": search, **tune},
        }
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def searched(tmp_path_factory, tandem, write_config) -> tuple[Path, Path, str]:
    """A finished search of three combinations, its config, and what the command printed."""
    base = write_config("base", SEARCH, pruning={"startup_trials": 1, "warmup_epochs": 1})
    path = base.with_name("searched.yaml")
    path.write_text("extends: base.yaml\nmodel: {heads: 1}\n", encoding="utf-8")
    folder = tmp_path_factory.mktemp("searched") / "tuning"
    output, _ = tandem("tune", "--config", path, "--output", folder, "--trials", "5")
    return folder, path, output
