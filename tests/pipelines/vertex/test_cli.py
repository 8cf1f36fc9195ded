import sys

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from preprocessing.schema import InputError
from tests.pipelines.vertex.conftest import config_values, write_config


@pytest.mark.parametrize("command", ["compile", "submit"])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "kfp", None)  # as Python marks what cannot be imported
    config = write_config(tmp_path, config_values())
    result = CliRunner().invoke(app, ["vertex", command, "--config", str(config)])
    assert isinstance(result.exception, InputError)
    assert (
        str(result.exception) == "kfp is missing; `pip install -c constraints.txt -e '.[vertex]'` brings it"
    )


def test_without_credentials_nothing_is_sent(tandem, tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    config = write_config(tmp_path, config_values())
    _, errors = tandem("vertex", "submit", "--config", config, status=2)
    assert errors.startswith("tandem: error: no credentials for Google Cloud: ")


def test_a_wrong_config_is_one_message(tandem, tmp_path):
    values = config_values()
    values["vertex"]["staging"] = "my-bucket"
    _, errors = tandem("vertex", "compile", "--config", write_config(tmp_path, values), status=2)
    assert "vertex: staging: expected a bucket or a folder in one" in errors
    assert len(errors.strip().splitlines()) == 1
