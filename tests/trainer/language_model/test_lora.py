from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from transformers import BertConfig, TFBertModel

from trainer.language_model.bert import HALF_PRECISION, LanguageModel
from trainer.language_model.config import LoraConfig
from trainer.language_model.tuned import TunedLanguageModel

TOKENS = np.array([[2, 40, 41, 42, 3], [2, 50, 3, 0, 0]], np.int32)


def lora(**settings) -> LoraConfig:
    return LoraConfig.model_validate({"mode": "lora", **settings})


@pytest.fixture(scope="module")
def minilm_shape(tmp_path_factory) -> Path:
    """Six layers of 384 units, and few words, which makes the share of LoRA larger than it would be."""
    folder = tmp_path_factory.mktemp("minilm_shape")
    config = BertConfig(
        vocab_size=1000,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=64,
    )
    model = TFBertModel(config)
    model.build_in_name_scope()
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def test_it_trains_at_most_a_fiftieth_of_the_weights(minilm_shape):
    model = TunedLanguageModel(minilm_shape, lora())
    everything = sum(int(tf.size(weight)) for weight in model.bert().weights)
    learning = sum(int(tf.size(weight)) for weight in model.tuned)
    assert learning == 6 * 2 * 2 * 384 * 8
    assert learning <= 0.02 * everything
    assert model.undecayed == []


def moved(model: TunedLanguageModel) -> TunedLanguageModel:
    """The model after it has learned something."""
    generator = np.random.default_rng(0)
    for weight in model.tuned:
        weight.assign(generator.normal(0, 0.3, weight.shape))
    return model


@pytest.mark.parametrize("projections", [("query", "value"), ("query", "key", "value", "output")])
def test_merging_changes_nothing_but_the_weights(tiny_bert, projections):
    plain = TunedLanguageModel(tiny_bert, lora(projections=projections))
    start = plain.encode(TOKENS)
    model = moved(TunedLanguageModel(tiny_bert, lora(projections=projections)))
    np.testing.assert_allclose(TunedLanguageModel(tiny_bert, lora()).encode(TOKENS), start, atol=1e-6)
    before, traced = model.encode(TOKENS), model.encode_batch(TOKENS)
    assert np.abs(before - start).max() > 0.01
    assert len(model.tuned) == 2 * len(projections) * 2
    model.merge()
    np.testing.assert_allclose(model.encode(TOKENS), before, atol=1e-5)
    np.testing.assert_allclose(model.encode_batch(TOKENS), traced, atol=1e-5)
    attention = model.bert().bert.encoder.layer[1].attention
    for layer in (attention.self_attention.query, attention.self_attention.key, attention.dense_output.dense):
        assert isinstance(layer, tf.keras.layers.Dense)


def test_a_merged_model_computes_no_more_than_a_plain_one(tiny_bert):
    def operations(model):
        return len(model.encode_batch.get_concrete_function().graph.get_operations())

    model = moved(TunedLanguageModel(tiny_bert, lora()))
    model.merge()
    full = TunedLanguageModel(tiny_bert, lora())
    assert operations(full) > operations(model)
    assert operations(model) == operations(LanguageModel(tiny_bert, None))


def test_dropout_is_at_work_in_training_alone(tiny_bert):
    model = moved(TunedLanguageModel(tiny_bert, lora(dropout=0.5)))
    np.testing.assert_array_equal(model.encode(TOKENS), model.encode(TOKENS))
    first, again, other = (model.encode(TOKENS, seed=tf.constant([1, number])) for number in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_half_precision_is_close(tiny_bert):
    exact = moved(TunedLanguageModel(tiny_bert, lora())).encode(TOKENS)
    half = moved(TunedLanguageModel(tiny_bert, lora(), HALF_PRECISION))
    assert {weight.dtype for weight in half.tuned} == {tf.float32}
    noise = tf.zeros([*TOKENS.shape, half.width])
    for vectors in (half.encode(TOKENS), half.encode(TOKENS, noise=noise)):
        assert vectors.dtype == tf.float32
        np.testing.assert_allclose(vectors, exact, atol=0.02)
        assert np.abs(vectors - exact).max() > 1e-6
    assert tf.keras.mixed_precision.global_policy().name == "float32"
