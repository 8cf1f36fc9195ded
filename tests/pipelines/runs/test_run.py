import dataclasses
import json
import os
import shutil
import tempfile

import pytest

from pipelines import __version__
from pipelines.runs.graph import Graph
from pipelines.steps import TRAIN
from preprocessing.schema import InputError


def test_nothing_is_done_twice(toy):
    assert toy.run() == ["grow", "cook", "serve"]
    assert toy.run() == []
    for step in ("grow", "cook", "serve"):
        assert f"{step}: nothing has changed, reused" in toy.output


def test_what_changed_is_done_again_and_what_depends_on_it(toy):
    toy.run()
    toy.configure("train: {epochs: 3}\n")
    assert toy.run() == ["cook", "serve"]
    toy.configure("train: {epochs: 3, seed: 5}\n")
    assert toy.run() == ["grow", "cook", "serve"]


def test_a_key_that_no_step_reads_changes_nothing(toy):
    toy.run()
    toy.configure("train: {patience: 3}\n")
    assert toy.run() == []


def test_an_artifact_that_came_out_the_same_changes_nothing_after_it(toy):
    toy.run()
    (toy.base / "seed").write_text("a c")
    assert toy.run() == ["grow"]
    (toy.base / "seed").write_text("d c")
    assert toy.run() == ["grow", "cook", "serve"]


def test_changed_code_is_run_again(toy, monkeypatch, tmp_path):
    toy.run()
    shutil.copytree("pipelines", tmp_path / "rooms" / "pipelines")
    monkeypatch.setattr("pipelines.runs.code.ROOMS", tmp_path / "rooms")
    assert toy.run() == []
    with (tmp_path / "rooms" / "pipelines" / "runs" / "step.py").open("a") as stream:
        stream.write("# changed\n")
    assert toy.run() == ["grow", "cook", "serve"]


def test_forced_steps_are_done_again(toy):
    toy.run()
    assert toy.run(force=("grow", "serve")) == ["grow", "serve"]
    assert toy.run() == []


def test_until_does_a_step_and_what_it_needs(toy):
    assert toy.run(last="cook") == ["grow", "cook"]
    assert set(toy.lineage.steps) == {"grow", "cook"}
    assert toy.run() == ["serve"]


def test_from_takes_what_comes_before_as_it_is(toy):
    toy.run()
    (toy.base / "seed").unlink()
    toy.configure("train: {epochs: 3, seed: 5}\n")
    assert toy.run(first="cook") == ["cook", "serve"]
    assert "grow: taken as it is" in toy.output
    assert toy.lineage.steps["grow"].config == {"train.seed": 0}


def test_from_needs_what_comes_before(toy):
    with pytest.raises(InputError, match="--from cook: grow comes before it and is not done"):
        toy.run(first="cook")
    toy.run()
    shutil.rmtree(toy.folder / "grow")
    with pytest.raises(InputError, match="grow comes before it"):
        toy.run(first="cook")


@pytest.mark.parametrize("asked", [{"force": ("cook", "fly")}, {"first": "fly"}, {"last": "fly"}])
def test_steps_that_are_not_there_are_refused_with_the_list(toy, asked):
    with pytest.raises(InputError, match="no step 'fly'; there are grow, cook, serve"):
        toy.run(**asked)
    assert not toy.folder.exists()


def test_lineage_says_how_each_artifact_came_about(toy):
    toy.run()
    lineage = toy.lineage
    assert lineage.name == "toy"
    assert list(lineage.steps) == ["grow", "cook", "serve"]
    grow, cook, serve = lineage.steps.values()
    assert list(grow.inputs) == ["seed"]
    assert cook.inputs == {"grow": grow.digest}
    assert serve.inputs == {"grow": grow.digest, "cook": cook.digest}
    assert cook.config == {"train.epochs": 100, "name": "toy"}
    assert (cook.state, cook.artifact, cook.tandem) == ("done", "cook", __version__)
    assert cook.seconds >= 0
    assert cook.started.endswith("+00:00")
    assert len({each.key for each in lineage.steps.values()}) == 3


def test_an_artifact_that_somebody_else_wrote_is_not_reused(toy):
    toy.run()
    (toy.folder / "cook" / "words").write_text("other")
    assert toy.run() == ["cook"]
    shutil.rmtree(toy.folder / "serve")
    assert toy.run() == ["serve"]


def test_a_step_that_failed_is_not_taken_for_done(toy):
    def fail():
        raise InputError("no")

    toy.run()
    before = toy.lineage.steps["cook"]
    toy.fails["cook"] = fail
    toy.configure("train: {epochs: 3}\n")
    with pytest.raises(InputError, match="no"):
        toy.run()
    assert toy.lineage.steps["cook"].state == "begun"
    # What stands there is of the config before, but might have been touched.
    del toy.fails["cook"]
    toy.configure()
    assert toy.run() == ["cook"]
    assert toy.lineage.steps["cook"].digest == before.digest


def test_an_attempt_is_gone_on_with_only_for_the_same_key(toy):
    def fail():
        raise KeyboardInterrupt

    toy.fails["cook"] = fail
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            toy.run(last="cook")
    begun = toy.lineage.steps["cook"]
    assert toy.continued == [False, False, True]
    del toy.fails["cook"]
    toy.run(force=("cook",), last="cook")
    assert toy.continued[-1]
    assert toy.lineage.steps["cook"].attempt == begun.attempt
    toy.run(force=("cook",), last="cook")
    assert not toy.continued[-1]
    assert toy.lineage.steps["cook"].attempt != begun.attempt


def test_what_a_killed_run_left_is_swept(toy):
    toy.run()
    for name in (".scratch/tmp1/x", ".run.partial", "cook/.a.partial", "training/best/ckpt-1_temp/part"):
        (toy.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (toy.folder / name).write_text("half")
    (toy.folder / ".examples.partial").mkdir()
    toy.run()
    left = {path.relative_to(toy.folder).as_posix() for path in toy.folder.rglob("*") if path.is_file()}
    assert left == {".lock", "lineage.json", "grow/words", "cook/words", "serve/words"}
    assert not (toy.folder / ".examples.partial").exists()


def test_temporary_files_are_made_in_the_run_folder(toy, tmp_path):
    before = os.environ.get("TMPDIR"), tempfile.gettempdir()
    places = []
    toy.fails["cook"] = lambda: places.append(tempfile.mkdtemp())
    toy.run()
    assert places[0].startswith(str(toy.folder / ".scratch"))
    assert not (toy.folder / ".scratch").exists()
    assert (os.environ.get("TMPDIR"), tempfile.gettempdir()) == before


@pytest.mark.parametrize("content", ['{"format": 1', '{"format": 7, "name": "x"}', '{"format": 1}'])
def test_a_lineage_that_cannot_be_read_is_told(toy, content):
    toy.run()
    (toy.folder / "lineage.json").write_text(content)
    with pytest.raises(InputError, match=r"lineage.json.*delete it to do every step again"):
        toy.run()


def test_a_config_is_checked_before_any_step(toy):
    def refuse(config):
        raise InputError("not so")

    steps = list(toy.graph)
    toy.run()
    toy.graph = Graph([*steps[:-1], dataclasses.replace(steps[-1], check=refuse, reads=("train.epochs",))])
    with pytest.raises(InputError, match="not so"):
        toy.run()
    assert toy.run(last="cook") == []


def test_a_key_below_those_that_are_read_can_be_ignored(toy):
    grow, cook, serve = toy.graph
    cook = dataclasses.replace(cook, reads=("train",), ignores=TRAIN.ignores)
    toy.graph = Graph([grow, cook, serve])
    toy.run()
    assert "distribution" not in toy.lineage.steps["cook"].config["train"]
    toy.configure("train: {distribution: {kind: mirrored, devices: 2}}\n")
    assert toy.run() == []
    toy.configure("train: {epochs: 3}\n")
    assert toy.run() == ["cook", "serve"]


def test_tables_that_a_tpu_holds_are_trained_by_themselves(toy):
    """Their checkpoints are of another kind; the trainer does not export them as those of plain tables."""
    grow, cook, serve = toy.graph
    toy.graph = Graph([grow, dataclasses.replace(cook, sources=TRAIN.sources), serve])
    toy.run()
    sharded = "model: {negatives: {kind: sampled}}\ntrain: {distribution: {kind: %s, id_tables: sharded}}\n"
    toy.configure(sharded % "mirrored")
    assert toy.run() == []
    toy.configure(sharded % "tpu")
    assert toy.run() == ["cook"]
    assert toy.run() == []
    toy.configure()
    assert toy.run() == ["cook"]


def test_the_lineage_is_plain_json(toy):
    toy.run()
    assert json.loads((toy.folder / "lineage.json").read_text())["steps"]["grow"]["state"] == "done"
