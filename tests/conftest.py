"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import os
import string
from pathlib import Path

import hypothesis
import pytest

# The machines that run the tests are shared: how long one example takes says nothing.
# CI tries the same examples every time, so that it judges the change and not its luck.
hypothesis.settings.register_profile("tandem", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("tandem")

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

WORDS = """
the a an of and in on to for with from by at is it this that film book song story love war star night day
man woman girl boy king queen toy ring lord fellowship matrix alien terminator jungle titanic amelie
casablanca vertigo psycho fargo heat speed action adventure animation children comedy crime documentary
drama fantasy horror musical mystery romance thriller western red blue green black white old new good bad
big small cat dog bird fish tree house river mountain sea city road train ship plane car space robot
ghost dragon wizard knight sword gun money bank police doctor teacher student writer artist family friend
mother father son daughter dinner lipstick cream shampoo soap perfume brush mirror news sport football
music rock jazz piano guitar
"""
CHINESE = "的一是不了人我在有他这中大来上国个到说们爱情故事电影美丽红白"


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of 32 units and 2 layers, in which every text can be tokenised."""
    import tensorflow as tf
    from transformers import BertConfig, TFBertModel

    characters = string.ascii_lowercase + string.digits
    pieces = [f"##{character}" for character in characters]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *string.punctuation,
        *characters,
        *pieces,
        *CHINESE,
    ]
    vocabulary += [word for word in dict.fromkeys(WORDS.split()) if word not in vocabulary]
    folder = tmp_path_factory.mktemp("tiny_bert")
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    tf.keras.utils.set_random_seed(0)  # what is trained on its vectors must not depend on luck
    model = TFBertModel(config)
    model.build_in_name_scope()
    model.save_pretrained(folder, safe_serialization=True)
    return folder
