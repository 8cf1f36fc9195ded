import numpy as np
import pytest
import tensorflow as tf

from preprocessing.pipeline import preprocess
from preprocessing.schema import Feature, InputError
from tests.trainer.conftest import data_config, write_tables
from trainer.config import TrainerConfig
from trainer.export import export
from trainer.tasks.attributes import AttributePrediction
from trainer.train import build_model, prepare, train
from trainer.training_batches import TrainingBatches


def changed(config, **model):
    values = config.model_dump(mode="json", by_alias=True)
    values["model"] |= model
    return TrainerConfig.model_validate(values)


def test_attributes_share_the_probability_evenly():
    features = [
        Feature(name="genres", kind="multi", vocabulary="v", size=5),
        Feature(name="year", kind="categorical", vocabulary="v", size=4),
        Feature(name="length", kind="numeric"),
    ]
    task = AttributePrediction(features)
    views = tf.random.stateless_normal([3, 6], seed=[1, 1])
    values = {"genres": tf.constant([[2, 4], [3, 0], [0, 0]]), "year": tf.constant([3, 0, 0])}
    loss = task(views, values)
    heads = {layer.name: layer for layer in task.submodules if layer.name in ("genres", "year")}
    genres, year = (tf.nn.log_softmax(heads[name](views)).numpy() for name in ("genres", "year"))
    expected = -np.mean([(genres[0, 2] + genres[0, 4]) / 2, genres[1, 3]]) - year[0, 3]
    np.testing.assert_allclose(loss, expected / 2, rtol=1e-5)
    nothing = {"genres": tf.zeros([3, 2], tf.int64), "year": tf.zeros([3], tf.int64)}
    assert float(task(views, nothing)) == 0.0


PARTS = {
    "gamma": {"alpha": 0.0},
    "alpha": {"alpha": 1.0},
    "beta": {"alpha": 0.0, "beta": 1.0},
    "lambda": {"alpha": 0.0, "lambda": 1.0},
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_the_objective_is_added_with_its_weight(
    examples, training, schema, config, progress, part
):
    def losses(**weights):
        tf.keras.utils.set_random_seed(3)
        model, _, _ = build_model(
            examples, training, schema, changed(config, loss=weights, dropout=0.0, id_dropout=0.0), progress
        )
        batch = next(iter(TrainingBatches(examples, schema, 9, 64, 0).epoch(0)))
        return float(model.compute_loss(batch))

    alone = losses(alpha=0.0)
    once = losses(**PARTS[part])
    twice = losses(**{name: 2 * value for name, value in PARTS[part].items()})
    assert alone > 0
    if part == "gamma":
        assert once == pytest.approx(alone)
        assert losses(gamma=2.0, alpha=0.0) == pytest.approx(2 * alone, rel=1e-5)
    else:
        assert once > alone + 1e-3
        assert twice - alone == pytest.approx(2 * (once - alone), rel=1e-4)
        if part != "beta":  # which teaches nothing about people
            assert losses(**PARTS[part], gamma=0.0) == pytest.approx(once - alone, rel=1e-4)


def test_meaning_alone_teaches_what_people_like(tmp_path, examples, config, progress):
    alone = changed(config, loss={"gamma": 0.0, "alpha": 0.0, "lambda": 1.0})
    assert train(examples, tmp_path / "training", alone, progress).ndcg > 0.3


def test_something_must_teach_what_people_like(config):
    with pytest.raises(ValueError, match="gamma, alpha or lambda must be above 0"):
        changed(config, loss={"gamma": 0.0, "alpha": 0.0, "beta": 1.0})


def test_all_parts_and_sampled_negatives_learn_together(tmp_path, examples, config, progress):
    joint = changed(
        config,
        loss={"alpha": 0.5, "beta": 0.1, "lambda": 0.3},
        negatives={"kind": "sampled", "uniform": 16, "hardness": 0.2},
    )
    result = train(examples, tmp_path / "training", joint, progress)
    assert result.ndcg > 0.4


def test_the_text_only_model_has_no_ids(tmp_path, examples, schema, config, progress):
    alone = changed(config, item_id=False, user_id=False)
    result = train(examples, tmp_path / "training", alone, progress)
    assert result.ndcg > 0.3
    model, _, _ = build_model(examples, tmp_path / "training", schema, alone, progress)
    prepare(model, alone, TrainingBatches(examples, schema, 9, 16, 0))
    sizes = {schema.items.size, schema.items.first_unseen, schema.users.size, schema.users.first_unseen}
    assert not [weight.name for weight in model.weights if sizes & set(weight.shape)]


def test_ids_alone_recommend_without_content(tmp_path, examples, config, progress):
    alone = changed(config, item_content=False)
    assert train(examples, tmp_path / "training", alone, progress).ndcg > 0.5
    version = export(examples, tmp_path / "training", tmp_path / "model", alone, progress)
    assert "embed_item" not in tf.saved_model.load(str(version)).signatures
    assert not (tmp_path / "training" / "item_texts.npy").exists()
    with pytest.raises(InputError, match=r"model\.loss\.beta needs texts of items"):
        train(examples, tmp_path / "other", changed(alone, loss={"beta": 0.1}), progress)


def test_items_must_be_known_by_something(config):
    with pytest.raises(ValueError, match="item_id and item_content are both off"):
        changed(config, item_id=False, item_content=False)


def test_a_model_without_item_ids_needs_something_else(tmp_path, tiny_bert, config, progress):
    write_tables(tmp_path)
    data = data_config(tiny_bert).model_copy(update={"items": None})
    preprocess(data, "bare", tmp_path, tmp_path / "examples")
    for model, message in (
        ({"item_id": False}, "model.item_id: false needs texts or attributes of items"),
        ({"loss": {"lambda": 0.1}}, "model.loss.lambda needs texts or attributes of items"),
        ({"loss": {"beta": 0.1}}, "model.loss.beta needs texts of items"),
        ({"item_tokens": True}, "model.item_tokens needs texts of items"),
    ):
        with pytest.raises(InputError, match=message):
            train(tmp_path / "examples", tmp_path / "training", changed(config, **model), progress)


def test_the_text_of_users_takes_part(examples, training, schema, config, progress):
    tandem, _, users = build_model(examples, training, schema, config, progress)
    assert users.tokens is not None
    index = {name: number for number, name in enumerate(users.ids)}
    about = tandem.about_user(tf.constant([index["u0"], index["u1"], 1])).numpy()
    assert not about[2].any()
    assert np.abs(about[0] - about[1]).max() > 1e-3
    assert [weight for weight in tandem.trainable_variables if weight.name.endswith("profile/text/kernel:0")]
