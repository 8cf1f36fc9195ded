import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.runs.lineage import Lineage
from pipelines.runs.overview import Overview
from preprocessing.schema import InputError
from tests.pipelines.runs.conftest import Toy


def _run(folder, ndcg, more="", date="2026-11-20T10:00:00+00:00"):
    """A run folder with an evaluation, the large artifacts of a real run, and a pushed version."""
    folder.mkdir(parents=True)
    toy = Toy(folder.parent)
    toy.folder = folder
    toy.configure(more)
    toy.run()
    lineage = Lineage.read(folder)
    grown = lineage.steps["grow"].model_copy(update={"started": date, "artifact": "examples"})
    evaluated = grown.model_copy(update={"artifact": "evaluation", "config": {}})
    lineage = Lineage(name="toy", steps={}).with_record(
        "cook", lineage.steps["cook"].model_copy(update={"started": date})
    )
    lineage.with_record("preprocess", grown).with_record("evaluate", evaluated).write(folder)
    for name in ("examples", "training", "model/1", "serving/1", "evaluation"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("x" * 1000)
    report = {"rows": [{"metrics": {"NDCG@10": {"value": ndcg}, "Gini@10": {"value": 0.5}}}]}
    (folder / "evaluation" / "metrics.json").write_text(json.dumps(report))
    return folder


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    _run(folder / "old", 0.1)
    _run(folder / "new", 0.125, "train: {epochs: 3}\n", "2026-11-21T10:00:00+00:00")
    (folder / "notes").mkdir()
    return folder


def _tandem(*arguments, status=0, given=None):
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["runs", *map(str, arguments)], input=given)
    assert result.exit_code == status, result.output
    return result.output


def test_the_manual_shows_commands_and_options_that_there_are():
    manual = (Path(__file__).parents[3] / "docs" / "runs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```$", manual, re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]
    assert len(commands) > 6
    for command in commands:
        # An option that is not there is refused before help is given.
        assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0, command


def test_runs_are_listed_the_newest_first(runs):
    output = _tandem("list", runs)
    lines = [line for line in output.splitlines() if line.startswith("│")]
    assert [line.split("│")[1].strip() for line in lines] == ["new", "old"]
    for cell in ("toy", "3 of 7", "0.1250", "2026-11-21 10:00"):
        assert cell in lines[0]
    assert "NDCG@10" in output and "Gini" not in output


def test_a_run_that_was_cut_off_says_where(runs):
    lineage = Lineage.read(runs / "old")
    begun = lineage.steps["cook"].model_copy(update={"state": "begun", "artifact": None})
    lineage.with_record("train", begun).write(runs / "old")
    assert "3 of 7, train begun" in _tandem("list", runs)


def test_a_folder_without_runs(tmp_path):
    assert "no runs" in _tandem("list", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        app(["runs", "list", str(tmp_path / "nope")], standalone_mode=False)


def test_runs_are_compared_by_config_and_metrics(runs):
    output = _tandem("compare", runs / "old", runs / "new")
    configs = [line for line in output.splitlines() if line.startswith("│ train.")]
    (cells,) = ([cell.strip() for cell in line.split("│")[1:-1]] for line in configs)
    assert cells == ["train.epochs", "100", "3"]
    assert "0.1250 (+0.0250)" in output
    assert "the configs are the same" in _tandem("compare", runs / "old", runs / "old")


def test_names_of_runs_are_no_markup(runs, monkeypatch):
    run = _run(runs / "a[bold]b", 0.2, "train: {epochs: 3}\n")
    Lineage.read(run).model_copy(update={"name": "shop [/b]"}).write(run)
    assert re.search(r"│ a\[bold\]b +│ shop \[/b\] +│", _tandem("list", runs))
    monkeypatch.chdir(runs)  # since long names are broken
    assert _tandem("compare", "a[bold]b", "old").count(" a[bold]b ") == 2


def test_what_cannot_be_compared_is_told(runs):
    for folders, said in (
        ((runs / "old",), "two run folders"),
        ((runs / "old", runs / "notes"), "no run folder"),
    ):
        with pytest.raises(InputError, match=said):
            app(["runs", "compare", *map(str, folders)], standalone_mode=False)


def test_cleaning_keeps_the_newest_and_what_is_served(runs):
    output = _tandem("clean", runs, "--keep", "1", "--yes")
    assert "old: examples, training, model" in output
    assert sorted(path.name for path in (runs / "old").iterdir() if path.name[0] != ".") == [
        "cook",
        "evaluation",
        "grow",
        "lineage.json",
        "serve",
        "serving",
    ]
    assert (runs / "new" / "training" / "file").exists()
    assert Overview.read(runs / "old").metrics["NDCG@10"] == 0.1
    assert "2 of 7" in _tandem("list", runs)
    assert "nothing to remove" in _tandem("clean", runs, "--keep", "1", "--yes")


def test_cleaning_asks_first(runs):
    assert "Remove this?" in _tandem("clean", runs, "--keep", "0", given="n\n", status=1)
    _tandem("clean", runs, "--keep", "0", status=1)  # nobody answers
    assert (runs / "old" / "examples").exists()
    _tandem("clean", runs, "--keep", "0", given="y\n")
    assert not (runs / "old" / "examples").exists()
    assert not (runs / "new" / "examples").exists()


def test_a_run_at_work_is_not_cleaned(runs):
    # The lock keeps other processes out, so another process must hold it.
    program = (
        "import sys, pathlib; from pipelines.runs.folder import alone\n"
        "with alone(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, runs / "old"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert "old: a command is at work in it, left alone" in _tandem("clean", runs, "--keep", "0", "--yes")
        assert (runs / "old" / "examples").exists()
        assert not (runs / "new" / "examples").exists()
        holder.stdin.close()
    _tandem("clean", runs, "--keep", "0", "--yes")
    assert not (runs / "old" / "examples").exists()
