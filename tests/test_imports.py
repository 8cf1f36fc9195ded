"""Imports run one way only; the contracts stand in pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINT = Path(sys.executable).with_name("lint-imports")


def test_the_contracts_hold():
    done = subprocess.run([LINT, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_contracts_would_catch_a_trainer_that_reads_the_dataset_config(tmp_path):
    for name in ("preprocessing", "trainer", "serving", "pipelines", "benchmarks", "pyproject.toml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    with (tmp_path / "trainer" / "model.py").open("a") as stream:
        stream.write("import preprocessing.config\nimport serving.client\n")
    done = subprocess.run([LINT, "--no-cache"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "trainer.model -> preprocessing.config" in done.stdout
    assert "trainer.model -> serving.client" in done.stdout
