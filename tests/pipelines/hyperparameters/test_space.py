import pytest

from pipelines.hyperparameters.config import read_tune_config
from pipelines.hyperparameters.space import Space
from preprocessing.schema import InputError, read_config_mapping


def space_of(path) -> Space:
    return Space.of(read_tune_config(path), path, read_config_mapping(path))


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (
            {"model.dropuot": {"low": 0, "high": 0.5}},
            r"tune.search.model.dropuot: unknown key .*; model has .*dropout",
        ),
        (
            {"model.loss.lamda": {"values": [0]}},
            "unknown key model.loss.lamda; model.loss has gamma, .*lambda",
        ),
        ({"modell.dropout": {"values": [0]}}, "unknown section modell; the keys of model and train can be"),
        ({"model.loss": {"values": [0]}}, "model.loss is a section; its keys are model.loss.gamma, "),
        ({"model.dropout.rate": {"values": [0]}}, "model.dropout holds one value, and no key rate"),
        (
            {"data.window": {"values": [5]}},
            "data.window cannot be searched: the examples are preprocessed once",
        ),
        ({"export.k": {"values": [5]}}, "export.k cannot be searched: it does not change what is trained"),
        ({"train.refit": {"values": [True]}}, "train.refit cannot be searched"),
        ({"model.dropout": {"low": 0.1, "high": 1.5}}, r"model.dropout: Input .* less than 1 \(found 1.5\)"),
        ({"model.dropout": {"values": [0.1, "much"]}}, r"valid number.* \(found 'much'\)"),
        ({"model.blocks": {"low": 0, "high": 3}}, r"model.blocks: .*greater than or equal to 1 \(found 0\)"),
        ({"model.blocks": {"low": 1.5, "high": 3}}, r"takes whole numbers \(found 1.5 and 3\)"),
        ({"model.item_id": {"low": 0, "high": 1}}, "only numbers have low and high; give values"),
        ({"model.dimension": {"low": 16, "high": 20}}, "dimension 17 must be a multiple of heads 2"),
        (
            {"model.dimension": {"values": [16, 30]}, "model.heads": {"values": [1, 4]}},
            "tune.search: model.dimension 30, model.heads 4: .*dimension 30 must be a multiple of heads 4",
        ),
        ({"train.epochs": {"low": 5, "high": 5}}, r"low must be below high \(found 5 and 5\)"),
        ({"train.learning_rate": {"low": 0, "high": 1, "log": True}}, "log needs a low above 0"),
        ({"train.epochs": {"values": [5, 5]}}, "the same value stands there twice"),
        ({"train.epochs": {"values": []}}, "at least one value"),
        ({"train.epochs": {"low": "a", "high": 5}}, r"epochs.low: a finite number is needed \(found 'a'\)$"),
        ({"train.epochs": {"low": 1, "high": 5, "log": "a"}}, r"epochs.log: .*\(found 'a'\)$"),
        (
            {"train.epochs": {"values": [[1], 2]}},
            "epochs.values.0: one finite number, text, true, .* needed$",
        ),
        ({"train.epochs": {"values": 5}}, r"epochs.values: a list is needed \(found 5\)$"),
        ({"train.epochs": {"low": 5}}, r"train.epochs: expected \{low: …, high: …"),
        ({"train.epochs": 5}, r"train.epochs: expected \{low: …, high: ….*, found 5"),
        ({}, "tune: search: .*at least 1 item"),
    ],
)
def test_what_cannot_be_searched_is_told_before_anything_starts(write_config, search, said):
    path = write_config("wrong", search)
    with pytest.raises(InputError, match=said) as raised:
        space_of(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_section_must_be_there_and_know_its_keys(write_config):
    path = write_config("wrong", {"model.dropout": {"values": [0.1]}}, metric="rmse")
    with pytest.raises(InputError, match=r"tune: metric: Input should be 'ndcg@10' \(found 'rmse'\)"):
        space_of(path)
    path = write_config("wrong", {"model.dropout": {"values": [0.1]}}, prune=None)
    with pytest.raises(InputError, match="tune: prune: unknown key"):
        space_of(path)
    path.write_text("name: x\n", encoding="utf-8")
    with pytest.raises(InputError, match="the section tune: is missing; it says which keys to search"):
        space_of(path)


def test_values_go_to_their_places(write_config):
    path = write_config(
        "places", {"model.loss.lambda": {"values": [0.0, 0.3]}, "train.epochs": {"values": [5, 9]}}
    )
    space = space_of(path)
    trainer = space.trainer({"model.loss.lambda": 0.3, "train.epochs": 9})
    assert (trainer.model.loss.semantic, trainer.train.epochs, trainer.model.dropout) == (0.3, 9, 0.1)
    assert space.starting_point() == {"model.loss.lambda": 0.0, "train.epochs": 5}
    assert len(space.combinations(4)) == 4
    assert space.combinations(3) == []


def test_a_trial_is_not_refitted(write_config):
    path = write_config("refit", {"model.dropout": {"low": 0, "high": 0.5}})
    path.write_text(path.read_text().replace("patience: 5", "patience: 5\n  refit: true"), encoding="utf-8")
    space = space_of(path)
    assert not space.trainer({"model.dropout": 0.2}).train.refit
    assert space.config_with({"model.dropout": 0.2})["train"]["refit"]


def test_a_config_outside_its_own_search_is_no_starting_point(write_config):
    assert (
        space_of(write_config("outside", {"model.dropout": {"low": 0.2, "high": 0.5}})).starting_point()
        is None
    )
