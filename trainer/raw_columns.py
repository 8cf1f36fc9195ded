"""Turns raw columns into model inputs inside the graph, by the rules of preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from preprocessing.schema import (
    PADDING,
    RESERVED,
    UNKNOWN,
    Entity,
    Feature,
    LanguageModel,
    Text,
    read_vocabulary,
)
from trainer.language_model.bert import LanguageModel as TextReader
from trainer.layers.item_tower import TEXT_TOKENS


class Vocabulary(tf.Module):
    """Looks up indices of strings: `""` is padding, a string that is not there is 'unknown'.

    Args:
      path: one value a line; it becomes an asset of the SavedModel.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="vocabulary")
        lines = tf.lookup.TextFileInitializer(
            str(path),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self._table = tf.lookup.StaticHashTable(lines, -1)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Indices of strings of any shape, int64."""
        found = self._table.lookup(values)
        index = tf.where(found < 0, tf.constant(UNKNOWN, tf.int64), found + RESERVED)
        return tf.where(tf.equal(values, ""), tf.constant(PADDING, tf.int64), index)


def cell_specs(entity: Entity) -> dict[str, tf.TensorSpec]:
    """What a signature takes of an entity: its raw columns by name, each `[B]` strings."""
    return {name: tf.TensorSpec([None], tf.string, name) for name in entity.columns}


def split_values(cells: tf.Tensor, separator: str) -> tf.RaggedTensor:
    """Splits cells `[B]` of several values into stripped, non-empty values `[B, None]`."""
    values = tf.strings.strip(tf.strings.split(cells, separator))
    return tf.ragged.boolean_mask(values, tf.not_equal(values, ""))


def join_text(text: Text, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Joins raw columns, each `[B]`, into texts `[B]` by the rule of `preprocessing.schema.Text`."""
    parts = []
    for column in text.columns:
        cells = tf.strings.strip(columns[column.name])
        if column.separator is not None:
            cells = tf.strings.reduce_join(split_values(cells, column.separator), -1, separator=", ")
        parts.append(cells)
    stacked = tf.RaggedTensor.from_tensor(tf.stack(parts, 1))
    present = tf.ragged.boolean_mask(stacked, tf.not_equal(stacked, ""))
    return tf.strings.reduce_join(present, -1, separator=". ")


class Tokenizer(tf.Module):
    """The BERT tokeniser in TensorFlow ops.

    Args:
      folder: of the language model; holds `vocab.txt`.
      language_model: says whether text is lower-cased.
      max_tokens: where a text is cut, special tokens included.
    """

    def __init__(self, folder: Path, language_model: LanguageModel, max_tokens: int) -> None:
        super().__init__(name="tokenizer")
        from transformers import TFBertTokenizer

        vocabulary = read_vocabulary(folder / "vocab.txt")
        # The fast kernel treats some characters otherwise than the tokeniser that wrote the examples.
        self._tokenizer = TFBertTokenizer(
            vocabulary,
            do_lower_case=language_model.lower_case,
            cls_token_id=vocabulary.index("[CLS]"),
            sep_token_id=vocabulary.index("[SEP]"),
            pad_token_id=0,
            max_length=max_tokens,
            truncation=True,
            use_fast_bert_tokenizer=False,
        )

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Token ids `[B, T]` of texts `[B]`, zero-padded, with the special tokens."""
        return tf.cast(self._tokenizer(texts)["input_ids"], tf.int32)


class CategoricalReader(tf.Module):
    """Reads cells `[B]` of one value into indices `[B]`."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__(name="categorical_reader")
        self._vocabulary = Vocabulary(vocabulary)

    def __call__(self, cells: tf.Tensor) -> tf.Tensor:
        """Indices of stripped cells."""
        return self._vocabulary(tf.strings.strip(cells))


class MultiReader(tf.Module):
    """Reads cells `[B]` of several values into zero-padded indices `[B, M]`."""

    def __init__(self, vocabulary: Path, separator: str) -> None:
        super().__init__(name="multi_reader")
        self._vocabulary = Vocabulary(vocabulary)
        self._separator = separator

    def __call__(self, cells: tf.Tensor) -> tf.Tensor:
        """Indices of stripped values."""
        return self._vocabulary(split_values(cells, self._separator).to_tensor(""))


class NumbersReader(tf.Module):
    """Reads cells `[B]` of numbers into `[B, length]` floats, NaN where there are not just so many."""

    def __init__(self, length: int) -> None:
        super().__init__(name="numbers_reader")
        self._length = length

    def __call__(self, cells: tf.Tensor) -> tf.Tensor:
        """Numbers with spaces or commas between them."""
        parts = split_values(tf.strings.regex_replace(cells, r"[\s,]+", " "), " ")
        complete = tf.equal(parts.row_lengths(), self._length)[:, None]
        filling = tf.fill([tf.shape(cells)[0], self._length], "nan")
        padded = tf.concat([parts, filling], 1).to_tensor()
        numbers = tf.strings.to_number(padded[:, : self._length])
        return tf.where(complete, numbers, float("nan"))


def feature_reader(feature: Feature, examples: Path) -> tf.Module:
    """The reader of one attribute's raw column, as `trainer.layers.features` wants it.

    Args:
      feature: of the schema.
      examples: the folder that the vocabulary's path is relative to.
    """
    if feature.kind == "categorical":
        return CategoricalReader(examples / str(feature.vocabulary))
    if feature.kind == "multi":
        return MultiReader(examples / str(feature.vocabulary), feature.separator or "|")
    return NumbersReader(feature.length)


class RawColumns(tf.Module):
    """Reads the raw columns of items or users into text vectors and attributes, the text's tokens among them.

    Args:
      entity: of the schema.
      examples: the examples folder.
      language_model: of the schema, needed where the entity has text.
      reader: the language model itself.
    """

    def __init__(
        self,
        entity: Entity,
        examples: Path,
        language_model: LanguageModel | None,
        reader: TextReader | None,
    ) -> None:
        super().__init__(name="raw_columns")
        self._text = entity.text
        self._readers = {feature.name: feature_reader(feature, examples) for feature in entity.features}
        # Kept out of tf.Module's sight: only the variables that a signature reads are saved.
        self._encode = reader.encode if reader else None
        if entity.text and language_model:
            folder = examples / language_model.folder
            self._tokenizer = Tokenizer(folder, language_model, entity.text.max_tokens)

    def __call__(self, cells: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """Reads cells, each `[B]`: text vectors `[B, H]`, or None without text, and attributes by name."""
        features = self.attributes(cells)
        if not (self._text and self._encode):
            return None, features
        tokens = self._tokenizer(join_text(self._text, cells))
        return self._encode(tokens), features | {TEXT_TOKENS: tokens}

    def attributes(self, cells: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Reads the attributes alone, by name."""
        return {name: reader(cells[name]) for name, reader in self._readers.items()}
