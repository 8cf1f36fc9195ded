import numpy as np
import pytest
import tensorflow as tf

from trainer.language_model.config import FullConfig, LastLayersConfig
from trainer.language_model.optimizer import TwoRatesAdamW, WarmUpThenDecay
from trainer.language_model.tuned import TunedLanguageModel


def test_the_rate_rises_then_falls_to_zero():
    rate = WarmUpThenDecay(peak=2.0, warmup=4, steps=12)
    rates = [float(rate(tf.constant(step, tf.int64))) for step in range(14)]
    assert rates[:5] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert rates[4:13] == pytest.approx([2.0 * (12 - step) / 8 for step in range(4, 13)])
    assert rates[12:] == [0.0, 0.0]


def test_a_warm_up_longer_than_the_training_never_reaches_the_peak():
    rate = WarmUpThenDecay(peak=1.0, warmup=100, steps=3)
    assert [float(rate(tf.constant(step))) for step in range(3)] == pytest.approx([1 / 101, 2 / 101, 3 / 101])


def test_each_part_moves_at_its_own_rate_and_biases_do_not_decay(tiny_bert):
    tuning = FullConfig.model_validate(
        {"mode": "full", "learning_rate": 0.5, "warmup_steps": 0, "weight_decay": 0.1}
    )
    model = TunedLanguageModel(tiny_bert, tuning)
    tower = tf.Variable([1.0, 2.0], name="bias")
    weights = [tower, *model.tuned]
    before = [weight.numpy() for weight in weights]
    optimizer = TwoRatesAdamW(model, tuning, 10, 1.0, learning_rate=0.01, weight_decay=0.0)
    optimizer.build(weights)
    # No gradient to speak of in the language model, so that decay alone moves it.
    gradients = [tf.ones_like(tower), *[tf.zeros_like(weight) for weight in model.tuned]]
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    np.testing.assert_allclose(tower, before[0] - 0.01, atol=1e-5)
    assert int(optimizer.iterations) == 1
    undecayed = {weight.ref() for weight in model.undecayed}
    for weight, old in zip(model.tuned, before[1:], strict=True):
        still = "LayerNorm" in weight.name or "bias" in weight.name
        assert (weight.ref() in undecayed) == still
        np.testing.assert_allclose(weight, old if still else old * (1 - 0.5 * 0.1), atol=1e-6)
    assert undecayed


def test_no_gradient_of_one_part_scales_the_other_down(tiny_bert):
    tuning = LastLayersConfig.model_validate({"mode": "last_n", "tuned_layers": 1, "warmup_steps": 0})
    model = TunedLanguageModel(tiny_bert, tuning)
    tower = tf.Variable([1.0])
    weights = [tower, *model.tuned]
    optimizer = TwoRatesAdamW(model, tuning, 10, 1.0, learning_rate=0.01, weight_decay=0.0)
    optimizer.build(weights)
    small = [0.001 * tf.ones_like(tower), *[1e9 * tf.ones_like(weight) for weight in model.tuned]]
    optimizer.apply_gradients(zip(small, weights, strict=True))
    np.testing.assert_allclose(optimizer._momentums[0], [0.1 * 0.001], rtol=1e-5)
