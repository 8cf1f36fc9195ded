import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.language_model.conftest import MODES, tuned
from trainer.language_model.adversarial import AdversarialTandem
from trainer.language_model.tuned_tandem import TunedTandem
from trainer.train import build_model, prepare, train
from trainer.training_batches import TrainingBatches

STILL = {"dropout": 0.0, "ranker_dropout": 0.0, "id_dropout": 0.0, "user_dropout": 0.0}


def without_chance(settings):
    return settings.model_copy(update={"model": settings.model.model_copy(update=STILL)})


@pytest.fixture
def prepared(tmp_path, examples, schema, config, progress):
    def make(mode, **settings):
        values = without_chance(tuned(config, mode, **settings))
        tf.keras.utils.set_random_seed(1)
        model, _, _ = build_model(examples, tmp_path, schema, values, progress)
        for dropout in (layer for layer in model.language_model.bert().submodules if hasattr(layer, "rate")):
            dropout.rate = 0.0
        batches = TrainingBatches(examples, schema, 9, 16, 0)
        prepare(model, values, batches)
        model.refresh_texts(progress)
        return model, next(iter(batches.epoch(0)))

    return make


def test_the_embeddings_move_to_where_the_loss_is_higher(prepared):
    model, batch = prepared("full", adversarial=0.3)
    assert isinstance(model, AdversarialTandem)
    draw = model.draw(batch, training=True)
    rows, tokens = model.choose(draw)
    seen = []

    def encode(tokens, seed, noise):
        seen.append(noise)
        return type(model.language_model).encode(model.language_model, tokens, seed, noise)

    model._encode = encode
    model.train_step(batch)
    still, moved = seen
    assert not still.numpy().any()
    lengths = np.linalg.norm(moved.numpy().reshape(len(moved), -1), axis=1)
    np.testing.assert_allclose(lengths, 0.3, atol=1e-4)
    model, batch = prepared("full", adversarial=0.3)
    draw = model.draw(batch, training=True)
    rows, tokens = model.choose(draw)
    noise = tf.zeros([*tokens.shape, 32])

    def loss(noise):
        return model.objectives(model.read(draw, rows, tokens, noise), training=True)["mean"]

    with tf.GradientTape() as tape:
        tape.watch(noise)
        plain = loss(noise)
    slope = tape.gradient(plain, noise)
    assert float(loss(0.3 * tf.math.l2_normalize(slope, (1, 2)))) > float(plain) + 1e-5


@pytest.mark.parametrize("mode", MODES)
def test_it_learns_in_every_mode(prepared, mode):
    model, batch = prepared(mode, adversarial=0.5)
    before = [weight.numpy() for weight in model.language_model.tuned]
    model.train_step(batch)
    metrics = model.train_step(batch)
    assert np.isfinite(float(metrics["mean_loss"])) and metrics["retrieval_loss"] > 0
    changed = [
        np.abs(weight.numpy() - old).max() > 0
        for weight, old in zip(model.language_model.tuned, before, strict=True)
    ]
    assert all(changed) if mode != "full" else sum(changed) > len(changed) - 3
    assert int(model.optimizer.iterations) == 2


def test_it_is_off_unless_asked_for(prepared):
    assert type(prepared("lora")[0]) is TunedTandem


def test_a_whole_training(tmp_path, examples, config, progress):
    result = train(examples, tmp_path, tuned(config, "lora", {"epochs": 2}, adversarial=0.5), progress)
    assert result.epochs == 2
