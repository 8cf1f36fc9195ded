"""The benchmark as people run it, on a small world."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "distribution.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
        cwd="/",
        check=False,
    )


def test_one_command_trains_with_each_kind(shop: Path, tmp_path: Path) -> None:
    done = command(f"--config={shop / 'shop.yaml'}", f"--output={tmp_path}", "--epochs=1", "--seeds=1")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "distribution.json").read_text())["results"]
    assert list(results) == ["one device", "two parts of the CPU", "two workers"]
    for kind, (result,) in results.items():
        assert 0 < result["ndcg"] <= 1 and result["seconds"] > 0
        assert kind in done.stdout
    assert (tmp_path / "distribution.png").read_bytes().startswith(b"\x89PNG")


def test_a_config_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    done = command("--config=/nowhere.yaml", f"--output={tmp_path}")
    assert done.returncode == 2
    assert "distribution: error: /nowhere.yaml: no such file" in done.stderr
