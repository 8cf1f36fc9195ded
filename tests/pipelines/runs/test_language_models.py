"""`tandem run` with each mode of the language model, killed while it trains."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.runs.lineage import Lineage
from pipelines.steps import GRAPH
from tests.trainer.conftest import data_config, write_tables
from trainer.result import TrainResult

MODES = {
    "frozen": {},
    "lora": {"mode": "lora", "rank": 2, "dropout": 0.1},
    "last_n": {"mode": "last_n", "tuned_layers": 1},
    "full": {"mode": "full"},
}
EPOCHS = 3


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A folder of small tables; the modes share a run folder in it, and so the examples."""
    folder = tmp_path_factory.mktemp("modes")
    write_tables(folder)
    return folder


@pytest.mark.parametrize("mode", MODES)
def test_the_config_alone_says_how_the_language_model_learns(base, tiny_bert, tandem, mode):
    values = {
        "name": "tiny",
        "data": data_config(tiny_bert).model_dump(mode="json", exclude_defaults=True),
        "model": {"dimension": 16, "history": 8, "blocks": 1, "language_model": MODES[mode]},
        "train": {"epochs": EPOCHS, "batch_size": 16},
        "search": {"enabled": False},  # another test exports that with each mode
        "export": {"k": 10, "candidates": 20},
    }
    config, folder = base / "tiny.yaml", base / "run"
    config.write_text(yaml.safe_dump(values))
    command = ["run", "--config", str(config), "--output", str(folder)]
    tandem.killed_at(r"epoch +1 ", *command)
    assert Lineage.read(folder).steps["train"].state == "begun"
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    epochs = [int(number) for number in re.findall(r"^epoch +(\d+) ", result.output, re.MULTILINE)]
    # Another epoch may have been saved before the kill came.
    assert epochs in ([2, 3], [3])
    assert "preprocess: nothing has changed, reused" in result.output
    steps = Lineage.read(folder).steps
    assert {name: record.state for name, record in steps.items()} == dict.fromkeys(GRAPH.names, "done")
    assert steps["train"].config["model"]["language_model"]["mode"] == mode
    assert TrainResult.read(folder / "training").epochs == EPOCHS
