import numpy as np
import pytest
import tensorflow as tf

from preprocessing.pipeline import preprocess
from preprocessing.schema import InputError
from tests.trainer.conftest import assert_same_learned, data_config, kill_and_go_on, write_tables
from tests.trainer.language_model.conftest import tuned
from trainer.distribution.cluster import Cluster
from trainer.export import export
from trainer.journal import Journal
from trainer.language_model.bert import LanguageModel
from trainer.language_model.table import encode_table
from trainer.result import TrainResult
from trainer.train import build_model, prepare, train
from trainer.training_batches import TrainingBatches
from trainer.validation import Validation


@pytest.fixture
def restored(tuned_training, examples, schema, progress):
    """The best epoch's model with its texts read, and its config."""
    folder, config = tuned_training
    model, items, _ = build_model(examples, folder, schema, config, progress)
    best = tf.train.latest_checkpoint(str(folder / "best"))
    tf.train.Checkpoint(model=model).restore(best).expect_partial()
    model.refresh_texts(progress)
    return model, items, config


def shapes(folder, name):
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder / name)))
    return {
        key: shape for key, shape in reader.get_variable_to_shape_map().items() if "language_model" in key
    }


def test_the_best_checkpoint_brings_the_tuned_language_model_back(restored, tuned_training, examples, schema):
    model, items, config = restored
    folder, _ = tuned_training
    frozen = LanguageModel(examples / schema.language_model.folder, None)
    before = encode_table(frozen, items.tokens, lambda _: None)
    after = encode_table(model.language_model, items.tokens, lambda _: None)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(
        model.item_vectors(tf.range(len(after), dtype=tf.int64), text=tf.constant(after)),
        model.catalogue(),
        atol=1e-5,
    )
    metrics = Validation(model, examples, schema, config).measure()
    assert metrics["ndcg@10"] == pytest.approx(TrainResult.read(folder).ndcg, abs=1e-6)


def test_checkpoints_hold_what_is_tuned_and_nothing_else_of_the_language_model(
    restored, tuned_training, mode
):
    model, _, _ = restored
    folder, _ = tuned_training
    tuned_shapes = sorted(tuple(weight.shape) for weight in model.language_model.tuned)
    assert sorted(map(tuple, shapes(folder, "best").values())) == tuned_shapes
    if mode == "lora":
        assert {min(shape) for shape in tuned_shapes} == {2}
    assert not [path for path in folder.glob("*_texts.npy")]


def test_only_some_weights_learn(restored, mode):
    model, _, _ = restored
    language_model = model.language_model
    everything = sum(int(tf.size(weight)) for weight in language_model.bert().weights)
    learning = sum(int(tf.size(weight)) for weight in language_model.tuned)
    assert {weight.ref() for weight in language_model.tuned} <= {
        weight.ref() for weight in model.trainable_variables
    }
    layer = sum(int(tf.size(weight)) for weight in language_model.bert().bert.encoder.layer[1].weights)
    assert learning == {"lora": 2 * 2 * 2 * 2 * 32, "last_n": layer, "full": everything}[mode]


def test_a_killed_training_goes_on_and_comes_to_the_same(tmp_path, tuned_training, examples):
    undisturbed, settings = tuned_training
    epochs = kill_and_go_on(
        tmp_path, examples, settings, lambda lines: any(line.startswith("epoch   1") for line in lines)
    )
    assert epochs in ([2, 3], [3])
    assert_same_learned(undisturbed, tmp_path / "training")


@pytest.fixture(scope="module")
def untrained(examples, schema, config, progress, tmp_path_factory):
    def make(**settings):
        values = tuned(config, "full", **settings)
        model, _, _ = build_model(examples, tmp_path_factory.mktemp("none"), schema, values, progress)
        batches = TrainingBatches(examples, schema, 9, 16, 0)
        prepare(model, values, batches)
        return model, next(iter(batches.epoch(0)))

    return make


def test_the_targets_of_a_step_are_read_each_once_and_at_most_so_many(untrained):
    for cap in (1000, 7):
        model, batch = untrained(texts_per_step=cap)
        draw = model.draw(batch, training=True)
        rows, tokens = model.choose(draw)
        targets = set(tf.boolean_mask(draw.step.row, draw.valid).numpy().tolist())
        chosen = rows.numpy().tolist()
        assert len(chosen) == len(set(chosen)) == min(cap, len(targets)) == len(tokens)
        assert set(chosen) <= targets
        text = model.read(draw, rows, tokens).step.text.numpy()
        assert set(np.flatnonzero(text.any(1)).tolist()) == set(chosen)  # the table has not been read yet


def test_texts_outside_the_batch_get_no_gradient(untrained, progress):
    model, batch = untrained(texts_per_step=3)
    model.refresh_texts(progress)
    draw = model.draw(batch, training=True)
    rows, tokens = model.choose(draw)
    embeddings = model.language_model.bert().bert.embeddings.weight
    with tf.GradientTape() as tape:
        losses = model.objectives(model.read(draw, rows, tokens), training=True)
    slope = tf.convert_to_tensor(tape.gradient(losses["mean"], embeddings)).numpy()
    moved = set(np.flatnonzero(slope.any(1)).tolist())
    assert moved and moved <= set(tokens.numpy().ravel().tolist())


def test_the_table_is_read_with_the_averaged_weights_once_an_epoch(
    tmp_path, examples, schema, config, progress
):
    settings = tuned(config, "full", {"epochs": 1})
    model, items, _ = build_model(examples, tmp_path, schema, settings, progress)
    batches = TrainingBatches(examples, schema, 9, 16, 0)
    prepare(model, settings, batches)
    validation = Validation(model, examples, schema, settings)
    model.fit(
        batches.epoch(0),
        verbose=0,
        callbacks=[Journal(tmp_path, tmp_path / "logs", model, validation, 9, progress, Cluster())],
    )
    index = tf.range(schema.items.size)
    table = model._item_text(index)
    newest = encode_table(model.language_model, items.tokens, lambda _: None)
    with model.average.applied():
        averaged = encode_table(model.language_model, items.tokens, lambda _: None)
    np.testing.assert_allclose(table, averaged, atol=1e-6)
    assert np.abs(newest - averaged).max() > 1e-4


def test_refitting_tunes_too(tmp_path, examples, schema, config, progress, load):
    settings = tuned(config, "lora", {"epochs": 2, "refit": True})
    training = tmp_path / "training"
    train(examples, training, settings, progress)
    version = export(examples, training, tmp_path / "model", settings, progress)
    assert shapes(training, "refit/final")
    answer = load(version)("embed_item", title=["old star"], genres=["war"], year=["1990"], length=[""])
    assert np.linalg.norm(answer["embedding"]) == pytest.approx(1.0, abs=1e-4)


def test_more_layers_than_there_are_cannot_be_tuned(tmp_path, examples, config, progress):
    with pytest.raises(InputError, match=r"tuned_layers: 3 asked for, .*language_model has 2"):
        train(examples, tmp_path / "training", tuned(config, "last_n", tuned_layers=3), progress)


def test_without_texts_there_is_nothing_to_tune(tmp_path, tiny_bert, config, progress):
    write_tables(tmp_path)
    preprocess(
        data_config(tiny_bert).model_copy(update={"items": None}), "bare", tmp_path, tmp_path / "examples"
    )
    with pytest.raises(InputError, match="mode: lora needs texts of items, and there are none"):
        train(tmp_path / "examples", tmp_path / "training", tuned(config, "lora"), progress)
