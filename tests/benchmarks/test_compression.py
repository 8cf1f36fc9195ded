"""The benchmark as people run it, on a small world."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "compression.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "140"},
        cwd="/",
        check=False,
    )


def test_one_command_measures_dimensions_and_indexes(shop: Path, tmp_path: Path) -> None:
    """The base, three dimensions and three indexes, on the shop of the other benchmarks."""
    done = command(
        f"--config={shop / 'shop.yaml'}",
        f"--output={tmp_path}",
        "--epochs=1",
        "--group=dimensions",
        "--group=indexes",
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "compression.json").read_text())
    rows = {row["name"]: row for row in record["rows"]}
    assert {"dimension 16", "dimension 32", "index: exact", "index: ScaNN, quantised"} <= set(rows)
    assert rows["index: exact"]["recall"] == pytest.approx(1.0)
    for row in rows.values():
        assert row["megabytes"] > 0 and row["milliseconds"] > 0
        assert (row["ndcg"] is None) == (row["group"] == "indexes")
    assert (tmp_path / "compression.png").stat().st_size > 10_000
    assert "dimension 16" in done.stdout


def test_a_config_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    done = command("--config=/nowhere.yaml", f"--output={tmp_path}")
    assert done.returncode == 2
    assert "compression: error: /nowhere.yaml: no such file" in done.stderr
