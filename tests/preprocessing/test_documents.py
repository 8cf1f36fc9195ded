from pathlib import Path

import pytest

from pipelines.config import RunConfig
from preprocessing.schema import InputError, read_config_mapping

CONFIGS = Path(__file__).parents[2] / "configs"


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_a_config_changes_what_it_extends(tmp_path):
    (tmp_path / "below").mkdir()
    write(tmp_path, base="name: a\nmodel: {history: 5, loss: {alpha: 1, beta: 2}}\ntrain: {seed: 1}\n")
    write(tmp_path / "below", middle="extends: ../base.yaml\nmodel: {loss: {beta: 0}}\ntrain: null\n")
    write(tmp_path, top="extends: below/middle.yaml\nname: b\n")
    assert read_config_mapping(tmp_path / "top.yaml") == {
        "name": "b",
        "model": {"history": 5, "loss": {"alpha": 1, "beta": 0}},
        "train": None,
    }


def test_wrong_bases_are_named(tmp_path):
    write(
        tmp_path,
        one="extends: two.yaml\n",
        two="extends: one.yaml\n",
        lost="extends: nowhere.yaml\n",
        several="extends: [one.yaml]\n",
    )
    for name, message in (
        ("one", "one.yaml: extends: the config extends itself"),
        ("lost", "nowhere.yaml: no such file"),
        ("several", "several.yaml: extends: the path of a config is needed"),
    ):
        with pytest.raises(InputError, match=message):
            read_config_mapping(tmp_path / f"{name}.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 2024-02-30\n", "not valid YAML: day is out of range for month"),
        (f"name: {'[' * 3000}\n", "not valid YAML: nested too deeply"),
        ("one: &a {x: 1}\ntwo: {<<: *a}\n", r"merge keys \(<<\) are not taken; `extends:` names a config"),
        ("train: {seed: 1, seed: 2}\n", "the key 'seed' is given twice"),
        ("1: one\n", "the key 1 is no text"),
        ("name: [\n", "not valid YAML: "),
    ],
)
def test_yaml_that_cannot_be_read_is_refused(tmp_path, text, message):
    write(tmp_path, broken=text)
    with pytest.raises(InputError, match=f"broken.yaml: {message}" if "YAML" in message else message):
        read_config_mapping(tmp_path / "broken.yaml")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_come_along_are_valid(path):
    assert RunConfig.read(path).name == path.stem
