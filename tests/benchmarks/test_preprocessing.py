"""The benchmark as people run it, on small tables; the polars script does the same work."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.preprocessed import measuring, polars_script, tables
from benchmarks.preprocessed.measuring import measure
from benchmarks.preprocessed.polars_script import main as preprocess_with_polars
from benchmarks.preprocessed.tables import write_tables
from preprocessing.config import read_config
from preprocessing.pipeline import preprocess
from preprocessing.schema import InputError

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "preprocessing.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "140"},
        cwd="/",
        check=False,
    )


def test_polars_gives_the_same_bytes(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocessing.plan.SHARD_BYTES", 20_000)
    monkeypatch.setattr(polars_script, "SHARD_BYTES", 20_000)
    monkeypatch.setattr(tables, "DUPLICATE_EVERY", 25)
    config = write_tables(tmp_path / "tables", 5000, str(tiny_bert))
    name, data = read_config(config)
    preprocess(data, name, tmp_path / "tables", tmp_path / "examples")
    preprocess_with_polars(tmp_path / "tables", tmp_path / "polars", str(tiny_bert))
    found = {path.name: path.read_bytes() for path in (tmp_path / "polars").iterdir()}
    expected = {path.name: path.read_bytes() for path in (tmp_path / "examples").iterdir() if path.is_file()}
    assert expected.keys() - found.keys() == {"schema.json", "statistics.json"}
    assert [name for name in found if found[name] != expected[name]] == []
    assert len([name for name in found if name.startswith("train-")]) > 2
    quarantine = found["quarantine-00000-of-00001.jsonl"].decode()
    for reason in ("'?' is not a number", "is not in the items table", "duplicate of items.tsv"):
        assert reason in quarantine


def test_tables_are_skewed_and_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_ROWS", 3000)
    for name in ("one", "two"):
        write_tables(tmp_path / name, 20_000, "none")
    first = (tmp_path / "one" / "interactions.tsv").read_text()
    assert first == (tmp_path / "two" / "interactions.tsv").read_text()
    rows = [line.split("\t") for line in first.splitlines()[1:]]
    assert len(rows) == 20_000
    counts = sorted((sum(row[1] == f"i{item}" for row in rows) for item in range(200)), reverse=True)
    assert counts[0] > 5 * counts[20] > 0


def test_one_command_measures_everything_once(tiny_bert: Path, tmp_path: Path) -> None:
    options = (f"--output={tmp_path}", "--rows=1000", f"--language-model={tiny_bert}")
    done = command(*options)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "preprocessing.json").read_text())
    names = ["polars, one process", "Tandem, 1 worker", "Tandem, 2 workers"]
    assert [(row["name"], row["rows"]) for row in record["rows"]] == [(name, 1000) for name in names]
    for row in record["rows"]:
        assert row["seconds"] > 0 and row["peak_bytes"] > 2**20
        assert row["rows_a_second"] == pytest.approx(row["rows"] / row["seconds"])
    assert (tmp_path / "preprocessing.png").stat().st_size > 10_000
    assert "of polars" in done.stdout
    again = command(*options)
    assert again.returncode == 0
    assert json.loads((tmp_path / "preprocessing.json").read_text())["rows"] == record["rows"]


def test_a_command_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('the disk is full')"]
    with pytest.raises(InputError, match=r"status 1; the end of .*log:\nthe disk is full"):
        measure(failing, tmp_path, tmp_path / "log")


def test_memory_is_that_of_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hold their memory until that of both was measured, or until they have waited too long."""
    seen, look = tmp_path / "seen", measuring._memory

    def note(root: psutil.Process) -> int:
        if (found := look(root)) > 2**28:
            seen.touch()
        return found

    monkeypatch.setattr(measuring, "_memory", note)
    wait = f"next((n for n in range(6000) if os.path.exists({str(seen)!r}) or time.sleep(0.01)), None)"
    hold = f"import os, time; x = bytearray(b'x') * 2**27; {wait}"
    both = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; p.wait()"
    began = time.monotonic()
    measured = measure([sys.executable, "-c", both], tmp_path, tmp_path / "log")
    assert measured.peak_bytes > 2**28
    assert 0 < measured.seconds <= time.monotonic() - began


def test_rows_that_are_no_numbers_are_one_message(tmp_path: Path) -> None:
    done = command(f"--output={tmp_path}", "--rows=1000,many")
    assert done.returncode == 2
    assert done.stderr == "preprocessing: error: --rows: 'many': whole numbers from 1000 on are allowed\n"
