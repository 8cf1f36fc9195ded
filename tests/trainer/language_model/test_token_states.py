import numpy as np
import pytest
import tensorflow as tf

from trainer.language_model.bert import LanguageModel
from trainer.language_model.config import LoraConfig
from trainer.language_model.seeded_dropout import hand_out
from trainer.language_model.token_states import token_states
from trainer.language_model.tuned import TunedLanguageModel

TOKENS = tf.constant([[2, 40, 41, 42, 3], [2, 50, 3, 0, 0], [2, 3, 0, 0, 0]])
SEED = tf.constant([3, 4])


def moved(folder) -> LanguageModel:
    model = TunedLanguageModel(folder, LoraConfig(mode="lora", rank=2, dropout=0.2))
    for number, weight in enumerate(model.tuned):
        weight.assign(tf.random.stateless_normal(weight.shape, [number, 0], stddev=0.3))
    return model


@pytest.fixture(scope="module", params=["plain", "lora"])
def bert(request, tiny_bert):
    model = LanguageModel(tiny_bert, None) if request.param == "plain" else moved(tiny_bert)
    return model.bert()


@pytest.mark.parametrize("training", [False, True])
def test_the_states_are_those_that_calling_the_model_gives(bert, training):
    """With the same draws of every dropout."""
    hand_out(bert, SEED)
    mask = tf.cast(TOKENS > 0, tf.int32)
    expected = bert(input_ids=TOKENS, attention_mask=mask, training=training).last_hidden_state
    embedded = tf.gather(bert.bert.embeddings.weight, TOKENS)
    states = token_states(bert, embedded, TOKENS > 0, training)
    np.testing.assert_allclose(states, expected, atol=1e-5)


def test_dropout_and_low_rank_change_the_states(tiny_bert):
    """Or the comparison above would compare nothing."""
    embedded = tf.gather(LanguageModel(tiny_bert, None).bert().bert.embeddings.weight, TOKENS)

    def states(model: LanguageModel, training: bool) -> np.ndarray:
        hand_out(model.bert(), SEED)
        return token_states(model.bert(), embedded, TOKENS > 0, training).numpy()

    plain, low_rank = LanguageModel(tiny_bert, None), moved(tiny_bert)
    assert np.abs(states(plain, True) - states(plain, False)).max() > 0.1
    assert np.abs(states(plain, False) - states(low_rank, False)).max() > 0.1


def test_a_text_is_read_as_it_is_alone(tiny_bert):
    model = LanguageModel(tiny_bert, None)
    alone = model.encode(TOKENS[1:2, :3])
    np.testing.assert_allclose(model.encode(TOKENS)[1:2], alone, atol=1e-6)
