"""Language models of the hub, from its cache: no test needs a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.hub import fetch_from_hub
from preprocessing.schema import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROGRAM = """
import sys
from pathlib import Path
from preprocessing.config import LanguageModelSource
from preprocessing.schema import InputError
from preprocessing.text import find_language_model
try:
    model = find_language_model(LanguageModelSource(path=sys.argv[1]), Path())
    print(model.name, sorted(path.name for path in model.path.iterdir()))
except InputError as error:
    print(error)
"""


def found(home: Path, reference: str, **variables: str) -> str:
    """What a process prints that has this cache: the hub's library reads its variables on import."""
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", **variables}
    command = [sys.executable, "-c", PROGRAM, reference]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def home(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's cache after somebody has fetched a model."""
    home = tmp_path_factory.mktemp("hub")
    model = home / "hub" / "models--somebody--tiny-bert"
    shutil.copytree(tiny_bert, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    return home


def test_a_model_of_the_hub_is_named_by_owner_and_name(home: Path) -> None:
    files = ["config.json", "model.safetensors", "vocab.txt"]
    assert found(home, "hub://somebody/tiny-bert") == f"tiny-bert {files}"
    assert found(home, f"hub://somebody/tiny-bert@{COMMIT}") == f"tiny-bert {files}"


def test_a_model_that_cannot_be_had_is_told(home: Path) -> None:
    message = found(home, "hub://somebody/other-bert")
    assert message.startswith("hub://somebody/other-bert: the hub gave no such model: ")
    assert message.endswith("check its name and the network, or name a folder that holds it")
    assert len(message.splitlines()) == 1


def test_an_unreachable_hub_is_told(home: Path) -> None:
    message = found(home, "hub://somebody/other", HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9")
    assert message.startswith("hub://somebody/other: the hub gave no such model: ")


@pytest.mark.parametrize("reference", ["hub://", "hub://a/b/c", "hub://a b/c"])
def test_names_that_cannot_be(reference: str) -> None:
    with pytest.raises(InputError, match="must be hub://OWNER/NAME or hub://OWNER/NAME@REVISION"):
        fetch_from_hub(reference)
