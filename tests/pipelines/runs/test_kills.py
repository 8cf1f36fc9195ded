"""`kill -9` at random moments of real runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.runs.lineage import Lineage
from pipelines.steps import GRAPH
from preprocessing.schema import folder_digest
from tests.trainer.conftest import data_config, write_tables

KILLS = 20
SEED = 11


def _config(folder: Path, tiny_bert: Path) -> Path:
    write_tables(folder)
    values = {
        "name": "tiny",
        "data": data_config(tiny_bert).model_dump(mode="json", exclude_defaults=True),
        "model": {"dimension": 16, "history": 8, "blocks": 1},
        "train": {"epochs": 4, "batch_size": 16},
        "search": {"enabled": False},  # a large part of an export, and no other place to be killed at
        "export": {"k": 10, "candidates": 20},
        "evaluate": {"require": ["ndcg@10 > 0"]},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.timeout(1800)  # six minutes of work, on machines that may be slower
def test_whenever_it_is_killed_the_same_command_goes_on(tmp_path, tiny_bert):
    config = _config(tmp_path, tiny_bert)
    undisturbed, disturbed, temporary = (tmp_path / name for name in ("undisturbed", "disturbed", "tmp"))
    temporary.mkdir()
    program = Path(__file__).with_name("killing.py")
    result = subprocess.run(
        [sys.executable, program, config, undisturbed, disturbed, str(SEED), str(KILLS)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    killed = json.loads(result.stdout.splitlines()[-1])["killed"]
    trained = [Lineage.read(folder).steps["train"].digest for folder in (undisturbed, disturbed)]
    assert len(set(trained)) == 1, killed  # wherever the training was killed, the same weights
    # Most of them hit a step at work, and not only the longest one.
    at_work = [step for _, _, steps in killed for step in steps]
    assert len(at_work) > KILLS / 2
    assert len(set(at_work)) >= 3
    for folder in (undisturbed, disturbed):
        steps = Lineage.read(folder).steps
        assert {name: record.state for name, record in steps.items()} == dict.fromkeys(GRAPH.names, "done")
    assert folder_digest(disturbed / "examples") == folder_digest(undisturbed / "examples")
    ends, starts = (".partial", ".replaced", "_temp"), (".scratch", "checkpoint.tmp")
    names = [path.name for path in disturbed.rglob("*")]
    assert not [name for name in names if name.endswith(ends) or name.startswith(starts)]
    assert not list(temporary.iterdir())
    # What was trained, exported, judged and pushed is one and the same model.
    steps = Lineage.read(disturbed).steps
    newest = max((disturbed / "serving").iterdir(), key=lambda version: int(version.name))
    assert folder_digest(newest) == steps["export"].digest == steps["evaluate"].inputs["export"]
    assert steps["export"].inputs["train"] == steps["train"].digest
