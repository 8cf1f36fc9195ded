"""The benchmark as people run it, on a small world."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from benchmarks.comparison import Comparison
from benchmarks.configs import read_configs
from preprocessing.schema import InputError

ROOT = Path(__file__).parents[2]
PEERS = [
    "EASE",
    "item-kNN",
    "text, nearest",
    "text, mean",
    "recent popularity",
    "popularity",
    "iALS",
    "TFRS tutorial",
]

MODELS = ["hybrid", "hybrid, retrieval", "small", "small, retrieval"]


def variant(shop: Path, name: str, **changes: dict) -> Path:
    """Another config beside `shop.yaml`, with sections updated."""
    config = yaml.safe_load((shop / "shop.yaml").read_text(encoding="utf-8")) | {"name": name}
    for section, values in changes.items():
        config[section] = config[section] | values
    path = shop / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "accuracy.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        cwd="/",
        check=False,
    )


@pytest.fixture(scope="module")
def finished(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A benchmark of two models made by the real command, and what it printed."""
    output = tmp_path_factory.mktemp("accuracy") / "shop"
    small = variant(shop, "small", model={"dimension": 8})
    done = command("--config", shop / "shop.yaml", "--config", small, "--output", output)
    assert done.returncode == 0, done.stdout + done.stderr
    return output, done.stdout


def test_everybody_is_in_the_table(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    report = json.loads((folder / "accuracy.json").read_text())["report"]
    assert [row["model"] for row in report["rows"]] == [*MODELS, *PEERS]
    assert report["slices"]["unseen items"]["targets"] > 20
    for row in report["rows"]:
        assert row["model"] in printed
        for name in ("Recall@10", "NDCG@10", "AUC", "Novelty@10", "Similarity@10"):
            metric = row["metrics"][name]
            assert metric["low"] <= metric["value"] <= metric["high"]
        assert 0 < row["metrics"]["Coverage@10"]["value"] <= 1
    assert "NDCG@10 on unseen items: hybrid - " in printed


def test_the_record_says_how_it_came_about(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    record = json.loads((folder / "accuracy.json").read_text())
    assert record["models"]["hybrid"]["training_seconds"] > 0
    assert record["models"]["small"]["config"]["model"]["dimension"] == 8
    assert record["machine"]["cores"] >= 1
    assert record["libraries"]["tensorflow"].startswith("2.")
    assert str(folder) in record["command"]
    assert set(record["report"]["choices"]) == set(PEERS)
    for name, trials in record["report"]["trials"].items():
        best = max(trials, key=lambda trial: trial["value"])
        assert record["report"]["choices"][name] == best["settings"]


def test_the_chart_shows_something(finished: tuple[Path, str]) -> None:
    from matplotlib.image import imread

    pixels = imread(finished[0] / "accuracy.png")
    assert min(pixels.shape[:2]) > 300
    assert np.var(pixels) > 0.01


def test_what_is_finished_is_reused(finished: tuple[Path, str], shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(finished[0], folder)
    before = json.loads((folder / "accuracy.json").read_text())
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("judged/**/*.npz")}
    assert len(written) == len(MODELS) + len(PEERS)
    output = io.StringIO()
    configs = read_configs([shop / "shop.yaml", shop / "small.yaml"])
    Comparison(folder, configs, "test", 1, Console(file=output, width=120)).execute()
    assert "examples: nothing has changed, reused" in output.getvalue()
    assert {path: path.stat().st_mtime_ns for path in written} == written
    after = json.loads((folder / "accuracy.json").read_text())
    for key in ("report", "models", "judging_seconds"):
        assert after[key] == before[key]


def test_configs_with_other_data_are_refused(shop: Path) -> None:
    other = variant(shop, "other", data={"split": {"kind": "leave_last"}})
    done = command("--config", shop / "shop.yaml", "--config", other, "--output", shop / "none")
    assert done.returncode == 2
    assert "data.split.kind: differs" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shop / "none").exists()


def test_two_configs_of_one_name_are_refused(shop: Path) -> None:
    with pytest.raises(InputError, match="'hybrid' is the name of another config too"):
        read_configs([shop / "shop.yaml", shop / "shop.yaml"])


def test_the_same_words_in_another_folder_are_other_data(shop: Path, tmp_path: Path) -> None:
    for path in [*shop.glob("*.tsv"), variant(shop, "moved")]:
        shutil.copy(path, tmp_path / path.name)
    configs = [shop / "shop.yaml", tmp_path / "moved.yaml"]
    assert [config.name for config in read_configs(configs)] == ["hybrid", "moved"]
    with (tmp_path / "clicks.tsv").open("a", encoding="utf-8") as table:
        table.write("user0\tlate24\t999\n")
    with pytest.raises(InputError, match=r"moved.yaml: data: differs from that of .*shop.yaml"):
        read_configs(configs)
