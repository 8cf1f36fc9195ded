"""Measures Tandem's preprocessing with one and two workers, and the polars script."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.finished import Marker, key
from benchmarks.preprocessed.measuring import Measured, measure
from benchmarks.preprocessed.report import Row, draw, table, write_record
from benchmarks.preprocessed.tables import write_tables
from preprocessing.config import LanguageModelSource
from preprocessing.schema import write_whole
from preprocessing.text import find_language_model

ROOT = Path(__file__).resolve().parents[2]
POLARS = "polars, one process"
WORKERS = {"Tandem, 1 worker": 1, "Tandem, 2 workers": 2}


def compare(sizes: Sequence[int], output: Path, language_model: str, console: Console) -> list[Row]:
    """Measures every size; writes `preprocessing.json` and `preprocessing.png` after each.

    What is finished is reused.

    Raises:
      InputError: the language model cannot be used, or what is measured failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    model = find_language_model(LanguageModelSource(path=language_model), Path.cwd())
    rows: list[Row] = []
    for size in sizes:
        tables = _tables(output, size, str(model.path.resolve()), console)
        for name, command in _commands(tables, tables.parent / "examples", str(model.path.resolve())).items():
            with console.status(f"{size:,} rows: {name}"):
                measured = _measured(tables.parent, name, command)
            rows.append(Row(name, size, measured.seconds, size / measured.seconds, measured.peak_bytes))
        console.print(table(rows))
        write_record(output / "preprocessing.json", rows)
        draw(rows, output / "preprocessing.png")
    console.print(f"written: {output / 'preprocessing.json'}, {output / 'preprocessing.png'}", soft_wrap=True)
    return rows


def _tables(output: Path, rows: int, language_model: str, console: Console) -> Path:
    folder = output / f"{rows}" / "tables"
    marker, found = Marker(folder.parent / "tables.key"), key("tables", f"{rows}", language_model)
    if not marker.holds(found):
        marker.remove()
        # With what was measured on other tables.
        shutil.rmtree(folder.parent, ignore_errors=True)
        with console.status(f"{rows:,} rows: writing the tables"):
            write_tables(folder, rows, language_model)
        marker.write(found)
    return folder


def _commands(tables: Path, examples: Path, language_model: str) -> Mapping[str, list[str]]:
    script = [sys.executable, "-m", "benchmarks.preprocessed.polars_script"]
    tandem = [sys.executable, "-m", "pipelines.cli", "preprocess"]
    options = [f"--config={(tables / 'config.yaml').resolve()}", f"--output={examples.resolve()}"]
    paths = [str(tables.resolve()), str(examples.resolve()), language_model]
    return {POLARS: [*script, *paths]} | {
        name: [*tandem, *options, f"--workers={workers}"] for name, workers in WORKERS.items()
    }


def _measured(folder: Path, name: str, command: Sequence[str]) -> Measured:
    """Measures a command; its examples are thrown away, they are the same every time."""
    short = name.replace(",", "").replace(" ", "-")
    marker, kept = Marker(folder / f"{short}.key"), folder / f"{short}.json"
    found = key("measured", *command)
    if marker.holds(found):
        return Measured(**json.loads(kept.read_text(encoding="utf-8")))
    marker.remove()
    shutil.rmtree(folder / "examples", ignore_errors=True)
    measured = measure(command, ROOT, folder / f"{short}.log")
    shutil.rmtree(folder / "examples")
    write_whole(kept, json.dumps(asdict(measured)).encode())
    marker.write(found)
    return measured
