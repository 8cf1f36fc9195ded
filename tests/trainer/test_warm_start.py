import csv

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.pipeline import preprocess
from preprocessing.schema import InputError, Schema
from tests.trainer.conftest import data_config, write_tables
from trainer.config import TrainerConfig
from trainer.refit import exported_checkpoint
from trainer.train import build_model, train
from trainer.warm_start import Rows, WarmStart


def _more_days(folder, tiny_bert, label=True):
    """The tables of the session's examples and what came later: clicks on unseen items, a new item and
    user, values of attributes that nobody had, and enough clicks to change the order of everything."""
    write_tables(folder)
    with (folder / "items.csv").open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerow(["i90", "new star 90", "drama|musical", 2001, 95])
    with (folder / "users.csv").open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerow(["u90", "X", 30, "likes red films"])
    with (folder / "interactions.csv").open("a", newline="", encoding="utf-8") as stream:
        for user, items in (("u90", (90, 40, 3, 4, 41, 90)), ("u1", (90, 41, 41)), ("u3", (90, 40))):
            for step, item in enumerate(items):
                csv.writer(stream).writerow([user, f"i{item}", 3, 5000 + step])
    preprocess(data_config(tiny_bert, label), "tiny", folder, folder / "examples")
    return folder / "examples"


@pytest.fixture(scope="module")
def newer(tmp_path_factory, tiny_bert):
    return _more_days(tmp_path_factory.mktemp("newer"), tiny_bert)


@pytest.fixture(scope="module")
def start(examples, training, config):
    return WarmStart(examples, training, config)


@pytest.fixture(scope="module")
def predicting(tmp_path_factory, examples, training, config, progress):
    """Trainings by `loss.beta`: where it is not 0 the attributes are predicted."""
    brief = _with(config, loss={"alpha": 0.5, "beta": 0.5})
    brief = brief.model_copy(update={"train": config.train.model_copy(update={"epochs": 1})})
    folder = tmp_path_factory.mktemp("predicting")
    train(examples, folder, brief, progress)
    return {0.0: training, 0.5: folder}


def _model(examples, folder, config, progress):
    return build_model(examples, folder, Schema.read(examples), config, progress)


def _with(config, **model):
    document = config.model_dump(by_alias=True)
    document["model"] |= model
    return TrainerConfig.model_validate(document)


def _vectors(model, items):
    return dict(zip(items.ids.tolist(), model.catalogue().numpy(), strict=True))


def _score(model, users, items, vector):
    user, item = users.ids.tolist().index("u7"), items.ids.tolist().index("i3")
    return model.ranker(tf.constant([user]), tf.constant([item]), tf.ones([1, 16]), vector[None]).numpy()


def test_rows_move_with_their_ids():
    rows = Rows(("a", "b", "c"), ("d", "c", "a"))
    old = np.arange(10.0).reshape(5, 2)
    assert rows.moved(old, (5, 2)).tolist() == [[0, 1], [2, 3], [0, 0], [8, 9], [4, 5]]
    columns = Rows(("a", "b"), ("b", "x", "a"), axis=1)
    assert columns.moved(np.array([[1.0, 2.0, 3.0, 4.0]]), (1, 5)).tolist() == [[1, 2, 4, 0, 3]]
    assert Rows((), ("a",)).moved(np.array([7.0, 8.0]), (3,)).tolist() == [7, 8, 0]


def test_the_older_model_knows_its_items_and_users_again(
    examples, training, newer, schema, start, config, tmp_path, progress
):
    older, items, users = _model(examples, training, config, progress)
    tf.train.Checkpoint(model=older).restore(exported_checkpoint(training, False)).expect_partial()
    model, new_items, new_users = _model(newer, tmp_path, config, progress)
    assert model.schema.items.first_unseen > schema.items.first_unseen
    assert new_items.ids.tolist()[: len(items.ids)] != items.ids.tolist()  # the indices are others
    start.into(model, newer, progress)
    before, after = _vectors(older, items), _vectors(model, new_items)
    for item in items.ids[2:]:  # those too that were unseen then and are not now
        np.testing.assert_allclose(after[item], before[item], atol=1e-5)
    assert np.linalg.norm(after["i90"]) == pytest.approx(1, abs=1e-5)
    scores = _score(older, users, items, before["i3"]), _score(model, new_users, new_items, before["i3"])
    np.testing.assert_allclose(*scores, atol=1e-5)
    newcomer = new_users.ids.tolist().index("u90")
    assert not model.ranker.user_bias.numpy()[newcomer].any()


def test_training_goes_on_from_there(newer, start, config, tmp_path, progress):
    brief = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 1})})
    cold = train(newer, tmp_path / "cold", brief, progress)
    warm = train(newer, tmp_path / "warm", brief, progress, start=start)
    assert warm.ndcg > cold.ndcg + 0.1


def test_refitting_starts_there_too(newer, start, config, tmp_path, progress):
    update = {"epochs": 1, "refit": True, "learning_rate": 1e-7}  # so it stays where it starts
    brief = config.model_copy(update={"train": config.train.model_copy(update=update)})
    train(newer, tmp_path / "training", brief, progress, start=start)
    refitted, _, _ = _model(newer, tmp_path, config, progress)
    WarmStart(newer, tmp_path / "training", brief).into(refitted, newer, progress)
    first, _, _ = _model(newer, tmp_path, config, progress)
    start.into(first, newer, progress)
    np.testing.assert_allclose(refitted.catalogue(), first.catalogue(), atol=1e-3)


@pytest.mark.parametrize(
    "tuning", [{"mode": "lora", "rank": 2}, {"mode": "last_n", "tuned_layers": 1}, {"mode": "full"}], ids=str
)
def test_a_language_model_that_was_frozen_may_learn_from_there(
    examples, training, start, config, tmp_path, progress, tuning
):
    frozen, _, _ = _model(examples, training, config, progress)
    tf.train.Checkpoint(model=frozen).restore(exported_checkpoint(training, False)).expect_partial()
    tuned = _with(config, language_model=tuning)
    model, _, _ = _model(examples, tmp_path, tuned, progress)
    start.into(model, examples, progress)
    model.refresh_texts(progress)
    np.testing.assert_allclose(model.catalogue(), frozen.catalogue(), atol=1e-5)
    brief = tuned.model_copy(update={"train": config.train.model_copy(update={"epochs": 1})})
    train(examples, tmp_path, brief, progress, start=start)
    # What it learned is gone on from too, with settings that say how it learns.
    slower = _with(brief, language_model=tuning | {"learning_rate": 1e-6, "texts_per_step": 2})
    again, _, _ = _model(examples, tmp_path / "again", slower, progress)
    WarmStart(examples, tmp_path, brief).into(again, examples, progress)
    learned = tf.train.load_checkpoint(exported_checkpoint(tmp_path, False))
    assert again.language_model.tuned
    saved = [
        learned.get_tensor(name) for name, _ in tf.train.list_variables(exported_checkpoint(tmp_path, False))
    ]
    for weight in again.language_model.tuned:
        assert any(np.array_equal(weight, each) for each in saved)


def test_a_language_model_that_learned_is_no_frozen_one(examples, training, config, tmp_path, progress):
    tuned = WarmStart(examples, training, _with(config, language_model={"mode": "full"}))
    model, _, _ = _model(examples, tmp_path, config, progress)
    with pytest.raises(InputError, match=r"model.language_model: \{'mode': 'full'.*'mode': 'frozen'"):
        tuned.into(model, examples, progress)
    shallow, _, _ = _model(examples, tmp_path, _with(config, language_model={"layers": 1}), progress)
    with pytest.raises(InputError, match=r"model.language_model: \{'layers': None\} .* \{'layers': 1\}"):
        WarmStart(examples, training, config).into(shallow, examples, progress)


@pytest.mark.parametrize("betas", [(0.0, 0.5), (0.5, 0.0), (0.5, 0.5)], ids=str)
def test_what_predicts_attributes_may_be_switched_on_and_off(
    tmp_path_factory, examples, config, progress, betas, predicting
):
    had, has = (_with(config, loss={"alpha": 0.5, "beta": beta}) for beta in betas)
    older, _, _ = _model(examples, predicting[betas[0]], had, progress)
    checkpoint = exported_checkpoint(predicting[betas[0]], False)
    tf.train.Checkpoint(model=older).restore(checkpoint).expect_partial()
    model, _, _ = _model(examples, tmp_path_factory.mktemp("newer"), has, progress)
    fresh = [weight.numpy() for weight in model.attributes.variables]
    assert bool(fresh) == bool(betas[1])
    WarmStart(examples, predicting[betas[0]], had).into(model, examples, progress)
    np.testing.assert_allclose(model.catalogue(), older.catalogue(), atol=1e-5)
    expected = older.attributes.variables if all(betas) else fresh
    for found, weight in zip(model.attributes.variables, expected, strict=True):
        np.testing.assert_array_equal(found, weight)


def test_another_shape_is_refused_with_every_difference(newer, start, config, tmp_path, progress):
    shape = {"dimension": 8, "user_id": False, "temperature": 0.2, "loss": {"alpha": 0.0}}
    model, _, _ = _model(newer, tmp_path, _with(config, **shape), progress)
    with pytest.raises(InputError) as error:
        start.into(model, newer, progress)
    assert str(error.value).splitlines() == [
        "a model cannot start from one of another shape:",
        "model.dimension: 16 in the older model, 8 here",
        "model.user_id: True in the older model, False here",
        "model.loss.alpha: 0.5 in the older model, 0.0 here",
    ]


def test_examples_of_other_columns_are_refused(tiny_bert, start, config, tmp_path, progress):
    unlabelled = _more_days(tmp_path, tiny_bert, label=False)
    model, _, _ = _model(unlabelled, tmp_path, config, progress)
    with pytest.raises(InputError, match="labels: in the older examples alone"):
        start.into(model, unlabelled, progress)


def test_an_unfinished_training_is_refused(newer, examples, config, tmp_path, progress):
    model, _, _ = _model(newer, tmp_path, config, progress)
    with pytest.raises(InputError, match="no finished training to start from"):
        WarmStart(examples, tmp_path, config).into(model, newer, progress)
