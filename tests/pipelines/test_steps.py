import shutil

import pytest

from pipelines.config import RunConfig
from pipelines.steps import Marker, key, states
from preprocessing.plan import make_plan
from trainer.config import ModelConfig


def _key(config_path):
    config = RunConfig.read(config_path)
    return key(config.name, config.data, *states(make_plan(config.data, config.base)))


def test_the_key_depends_on_what_goes_in_and_on_nothing_else(slice_config, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(slice_config.parent, folder)
    copied = folder / slice_config.name
    before = _key(copied)
    assert _key(copied) == before
    with (folder / "slice.inter").open("a") as stream:
        stream.write("1\t2\t3\t1\n")
    changed = _key(copied)
    assert changed != before
    copied.write_text(copied.read_text().replace("leave_last", "random"))
    assert _key(copied) not in (before, changed)


def test_parts_of_a_key_cannot_run_into_each_other():
    assert key("ab", "c") != key("a", "bc")
    assert key(ModelConfig(dimension=32)) != key(ModelConfig(dimension=64))


def test_a_marker_holds_the_last_key_only(tmp_path):
    marker = Marker(tmp_path / "finished" / "train")
    assert not marker.holds("a")
    marker.write("a")
    marker.write("b")
    assert marker.holds("b") and not marker.holds("a")
    marker.remove()
    marker.remove()
    assert not marker.holds("b")
    assert not list((tmp_path / "finished").iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--config", "{file}", "--output", "x"), "the section data: is missing"),
        (("run", "--config", "{folder}/nope.yaml"), "no such file"),
        (("evaluate", "--model", "{folder}", "--examples", "{folder}"), "neither a SavedModel nor a folder"),
        (
            ("train", "--config", "{file}", "--training", "{file}", "--examples", "{folder}"),
            "no schema.json here",
        ),
        (("recommend", "--timeout", "soon"), "Invalid value for '--timeout'"),
    ],
)
def test_wrong_arguments_are_one_message_and_status_2(tandem, tmp_path, arguments, said):
    file = tmp_path / "file.yaml"
    file.write_text("train: {epochs: 1}\n")
    _, errors = tandem(*(each.format(file=file, folder=tmp_path) for each in arguments), status=2)
    assert said in errors
