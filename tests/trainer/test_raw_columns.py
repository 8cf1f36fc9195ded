import math

import numpy as np
import tensorflow as tf

from preprocessing.schema import Feature, Text, TextColumn, write_vocabulary
from preprocessing.schema.examples import read_batches
from trainer.raw_columns import Tokenizer, Vocabulary, feature_reader, join_text


def test_text_joins_what_is_there():
    text = Text(
        columns=(TextColumn(name="title"), TextColumn(name="genres", separator="|"), TextColumn(name="note")),
        max_tokens=8,
    )
    columns = {
        "title": tf.constant([" Alien ", "", "流浪地球", ""]),
        "genres": tf.constant(["horror| sci-fi |", "a.b|c", "||", " "]),
        "note": tf.constant(["", "x", "好", ""]),
    }
    joined = [value.decode() for value in join_text(text, columns).numpy()]
    assert joined == ["Alien. horror, sci-fi", "a.b, c. x", "流浪地球. 好", ""]


def test_vocabulary_knows_padding_and_the_unknown(tmp_path):
    write_vocabulary(tmp_path / "v.txt", ["b", "a b", "流"])
    found = Vocabulary(tmp_path / "v.txt")(tf.constant([["", "b"], ["a b", "流"], ["nope", " b"]]))
    np.testing.assert_array_equal(found, [[0, 2], [3, 4], [1, 1]])


def test_readers_give_what_the_encoders_take(tmp_path):
    write_vocabulary(tmp_path / "v.txt", ["war", "love"])
    vocabulary = {"vocabulary": "v.txt", "size": 4}
    categorical = feature_reader(Feature(name="a", kind="categorical", **vocabulary), tmp_path)
    np.testing.assert_array_equal(categorical(tf.constant([" love", "", "?"])), [3, 0, 1])
    multi = feature_reader(Feature(name="a", kind="multi", separator="/", **vocabulary), tmp_path)
    np.testing.assert_array_equal(multi(tf.constant(["war/love", "", "?/war"])), [[2, 3], [0, 0], [1, 2]])
    vector = feature_reader(Feature(name="a", kind="vector", length=2), tmp_path)
    numbers = vector(tf.constant(["1, 2.5", "3 4", "", "1"])).numpy()
    np.testing.assert_array_equal(numbers[:2], [[1, 2.5], [3, 4]])
    assert np.isnan(numbers[2:]).all()
    numeric = feature_reader(Feature(name="a", kind="numeric"), tmp_path)
    assert numeric(tf.constant([" -1e3 "])).numpy().tolist() == [[-1000.0]]
    assert math.isnan(numeric(tf.constant([""])).numpy()[0, 0])


def test_the_graph_tokenises_as_preprocessing_did(examples, schema):
    folder = examples / schema.language_model.folder
    tokenizer = Tokenizer(folder, schema.language_model, schema.items.text.max_tokens)
    for batch in read_batches(examples, schema, "items"):
        expected = batch["tokens"].to_tensor().numpy()
        np.testing.assert_array_equal(tokenizer(batch["text"]), expected)
