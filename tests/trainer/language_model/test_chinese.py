"""A Chinese BERT reads Chinese titles all the way from the tables to the recommendations."""

import csv
import random
import string

import numpy as np
import pytest
import tensorflow as tf
from transformers import BertConfig, TFBertModel

from preprocessing.config import DataConfig
from preprocessing.pipeline import preprocess
from preprocessing.schema import Schema
from tests.trainer.conftest import load_signatures
from tests.trainer.language_model.conftest import tuned
from trainer.dataset import read_entities
from trainer.export import export
from trainer.rebuild import add_items
from trainer.train import train
from trainer.version import Version

CHARACTERS = (
    "的一是不了人我在有他这中大来上国个到说们爱情故事电影美丽红白山水花月春秋冬夏风云战争英雄少女时间城市海洋"
)
NONE = np.zeros((1, 0), object)


@pytest.fixture(scope="module")
def chinese_bert(tmp_path_factory):
    """A BERT with a token for each Chinese character, as bert-base-chinese has it, in small."""
    folder = tmp_path_factory.mktemp("chinese_bert")
    latin = [*string.punctuation, *string.ascii_lowercase, *string.digits]
    pieces = [f"##{character}" for character in string.ascii_lowercase + string.digits]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *latin, *pieces, *dict.fromkeys(CHARACTERS)]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    tf.keras.utils.set_random_seed(0)
    model = TFBertModel(config)
    model.build_in_name_scope()
    model.save_pretrained(folder, safe_serialization=False)  # tf_model.h5, as older checkpoints have it
    return folder


@pytest.fixture(scope="module")
def version(tmp_path_factory, chinese_bert, config, progress) -> Version:
    folder = tmp_path_factory.mktemp("chinese")
    generator = random.Random(3)
    titles = ["".join(generator.sample(CHARACTERS, 5)) for _ in range(30)]
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = [["item_id", "title"], *[[f"i{number}", title] for number, title in enumerate(titles)]]
        csv.writer(stream).writerows(rows)
    with (folder / "interactions.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["user_id", "item_id", "time"])
        for user in range(40):
            begin = generator.randrange(30)
            writer.writerows([f"u{user}", f"i{(begin + step) % 30}", step] for step in range(6))
    columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}, "time": {"kind": "time"}}
    data = DataConfig.model_validate(
        {
            "interactions": {"path": "interactions.csv", "columns": columns},
            "items": {
                "path": "items.csv",
                "columns": {"item_id": {"kind": "id"}, "title": {"kind": "text"}},
            },
            "language_model": {"path": str(chinese_bert), "max_tokens": 16},
        }
    )
    preprocess(data, "chinese", folder, folder / "examples")
    settings = tuned(config, "lora", {"epochs": 2})
    by_text = settings.model_copy(
        update={"model": settings.model.model_copy(update={"item_id": False, "user_id": False})}
    )
    train(folder / "examples", folder / "training", by_text, progress)
    return Version.read(export(folder / "examples", folder / "training", folder / "model", by_text, progress))


def test_no_character_is_unknown(version, chinese_bert):
    schema = Schema.read(version.folder.parents[1] / "examples")
    assert not schema.language_model.lower_case
    tokens = read_entities(version.folder.parents[1] / "examples", schema, "items").tokens
    assert (tokens[2:] > 0).sum(1).tolist() == [7] * 30  # five characters, [CLS] and [SEP]
    assert not (tokens == 1).any()


def test_a_cold_item_with_a_chinese_title_is_embedded_and_recommended(version, tmp_path, progress):
    signatures = load_signatures(version.folder)
    best = signatures("retrieve", user_id=[""], history=[["i1", "i2"]], exclude=NONE)["item_id"][0][0]
    place = version.items.ids.index(best.decode())
    title = version.items.titles[place]
    assert set(title) <= set(CHARACTERS)
    embedded = signatures("embed_item", title=[title, "战争英雄"])["embedding"]
    np.testing.assert_allclose(embedded[0], version.items.vectors[place], atol=1e-5)
    assert np.abs(embedded[1] - embedded[0]).max() > 1e-3
    # A new film of the same title has the same vector without IDs, so it is found beside the old one.
    longer = add_items(version, ["new"], [title], {"title": [title]}, tmp_path, progress)
    answer = load_signatures(longer)("retrieve", user_id=[""], history=[["i1", "i2"]], exclude=NONE)
    assert {item.decode() for item in answer["item_id"][0][:2]} == {best.decode(), "new"}
