"""The benchmark as people run it, on a small world."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.compressed.variants import variants
from pipelines.config import RunConfig

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


def test_one_command_measures_the_base_and_the_indexes(shop: Path, tmp_path: Path) -> None:
    options = ("--epochs=1", "--group=indexes")
    done = command(f"--config={shop / 'shop.yaml'}", f"--output={tmp_path}", *options)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "compression.json").read_text())
    rows = {row["name"]: row for row in record["rows"]}
    base = "frozen, all layers, dimension 16"
    assert list(rows) == [base, "index: exact", "index: ScaNN, quantised", "index: portable, leaves"]
    assert rows["index: exact"]["recall"] == pytest.approx(1.0)
    for row in rows.values():
        assert row["megabytes"] > 0 and row["milliseconds"] > 0
    assert rows[base]["ndcg"] is not None and rows[base]["texts_a_second"] > 0
    assert (tmp_path / "compression.png").stat().st_size > 10_000
    assert "index: ScaNN" in done.stdout


def test_a_group_changes_one_thing_of_the_base(shop: Path) -> None:
    found = variants(RunConfig.read(shop / "shop.yaml"), ["modes", "layers", "dimensions"], 1)
    names = [variant.name for variant in found]
    base = found[0].config
    assert names[1:] == [
        *("lora", "last_n", "full"),
        *("layers: 1", "layers: 2", "layers: 4"),
        *("dimension 32", "dimension 128"),
    ]
    for variant in found[1:]:
        changed = variant.config.model.model_dump()
        differing = {key for key, value in base.model.model_dump().items() if changed[key] != value}
        assert differing == {"dimension" if variant.group == "dimensions" else "language_model"}
        assert variant.config.train == base.train and base.train.epochs == 1


def test_a_config_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    done = command("--config=/nowhere.yaml", f"--output={tmp_path}")
    assert done.returncode == 2
    assert "compression: error: /nowhere.yaml: no such file" in done.stderr
