import sys

from typer.testing import CliRunner

from pipelines.cli import app
from preprocessing.schema import InputError


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)  # as Python marks what cannot be imported
    arguments = ["tune", "--config", "c.yaml", "--output", str(tmp_path), "--trials", "1"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert (
        str(result.exception) == "optuna is missing; `pip install -c constraints.txt -e '.[tune]'` brings it"
    )
