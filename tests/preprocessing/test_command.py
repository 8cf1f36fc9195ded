"""`tandem preprocess`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli.preprocess import preprocess
from preprocessing.config import read_config
from preprocessing.schema import InputError, Schema

CONFIG = """
data:
  interactions:
    path: tables/interactions.csv
    columns:
      user_id: {kind: id}
      item_id: {kind: id}
  maximum_rejected: 0.5
model: {that: is read by another step}
"""


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(preprocess)
    return CliRunner().invoke(app, arguments)


def test_a_config_is_preprocessed_and_its_statistics_shown(project: Any) -> None:
    project.write("shop.yaml", CONFIG)
    project.write("tables/interactions.csv", "user_id,item_id\nu,a\nu,b\nu,\n")
    result = run("--config", str(project.folder / "shop.yaml"), "--output", str(project.output))
    assert result.exit_code == 0, result.output
    assert "interactions: 1 quarantined: item_id is empty" in result.output
    assert Schema.read(project.output).name == "shop"


def test_what_is_wrong_with_the_input_is_an_input_error(project: Any) -> None:
    project.write("shop.yaml", CONFIG)
    result = run("--config", str(project.folder / "shop.yaml"), "--output", str(project.output))
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "interactions: tables/interactions.csv: no such file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "the section data: is missing"),
        ("name: 5\ndata: {}\n", "name: a text is needed (found 5)"),
        ("data: {interactions: {path: a.csv}}\n", "data: interactions.columns: this key is required"),
    ],
)
def test_configs_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_config(path)
    assert message in str(error.value)
