from pathlib import Path

import pytest

from pipelines.config import RunConfig
from preprocessing.config import DataConfig
from preprocessing.schema import InputError, parse, read_config_mapping
from trainer.config import parse_config

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


IDS = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}


def data_of(columns=None, **sections):
    return {"interactions": {"path": "x.csv", "columns": IDS | (columns or {})}, **sections}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            data_of(splits={}),
            "splits: unknown key (did you mean split?); allowed: interactions, items, users, knowledge, ",
        ),
        (
            data_of(split={"kind": "temporal", "validaton": 0.1}),
            "split.validaton: unknown key (did you mean validation?); allowed: kind, validation, test",
        ),
        (
            data_of({"source": {"kind": "time", "zone": "utc"}}),
            "interactions.columns.source.zone: unknown key; allowed: source, kind, unit",
        ),
        (data_of({"when": {"unit": "s"}}), "interactions.columns.when: the key 'kind' is required"),
        (
            data_of({"when": {"kind": "date"}}),
            "interactions.columns.when: allowed: 'id', 'time', 'label', 'text' (found 'date')",
        ),
        (data_of(items=5), "items: a mapping of keys to values is needed (found 5)"),
        (data_of(split="random"), "split: a mapping of keys to values is needed (found 'random')"),
        (
            data_of() | {"interactions": {"path": "x.csv", "columns": IDS, "header": "a,b"}},
            "interactions.header: a list is needed (found 'a,b')",
        ),
    ],
)
def test_what_is_not_allowed_says_what_is(values, said):
    with pytest.raises(InputError) as error:
        parse(DataConfig, values, "f")
    assert str(error.value).startswith(f"f: {said}") and "\n" not in str(error.value)


def test_keys_of_the_chosen_kind_alone_are_allowed():
    values = {
        "train": {"epoch": 3},
        "model": {"loss": {"lamda": 1}, "language_model": {"mode": "last_n", "tuned_layers": 1, "lr": 1}},
    }
    with pytest.raises(InputError) as error:
        parse_config(values, "f")
    model, loss, train = sorted(str(error.value).splitlines())
    assert "language_model.lr: unknown key; allowed: mode, " in model and "tuned_layers" in model
    assert (
        loss == "f: model.loss.lamda: unknown key (did you mean lambda?); allowed: gamma, alpha, beta, lambda"
    )
    assert train.startswith("f: train.epoch: unknown key (did you mean epochs?); allowed: epochs, ")
