"""Takes a query in plain language apart into interests, in TensorFlow ops alone."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from trainer.search.words import (
    CHINESE_STOP_WORDS,
    HARD_BREAKS,
    NEGATIONS,
    NO_NEGATIONS,
    SOFT_BREAKS,
    STOP_WORDS,
)

LONGEST_QUERY = 1000
"""Characters of a query that are read; what follows is left out."""

HARD, NEGATION, SOFT = "\x1f", "\x1e", "\x1d"
"""Marks that no text holds: control characters are taken out of a query first."""


class Interests(NamedTuple):
    """The interests of queries, at most `most` each, in the order in which they are named.

    Attributes:
      text: `[B, I]` strings, `""` pads.
      negated: `[B, I]` bool: whether this is not wanted.
    """

    text: tf.Tensor
    negated: tf.Tensor


def take_apart(queries: tf.Tensor, most: int) -> Interests:
    """Divides queries at punctuation and conjunctions, and tells what is wanted from what is not.

    A negation reaches to the end of its part: in 'no horror or war, but comedies' two things are not wanted.
    Words that say nothing are taken off both ends of an interest; what then holds neither letter nor digit
    is none.

    Args:
      queries: `[B]` strings, any bytes.
      most: interests kept of a query, the first ones.
    """
    text = tf.strings.unicode_transcode(queries, "UTF-8", "UTF-8", replace_control_characters=True)
    text = tf.strings.regex_replace(text, r"[\pC\pZ\x{fffd}]+", " ")
    text = tf.strings.substr(text, 0, LONGEST_QUERY, unit="UTF8_CHAR")
    text = _replace(text, NO_NEGATIONS, " ")
    text = _replace(text, HARD_BREAKS, HARD)
    parts = tf.strings.split(text, HARD)  # [B, parts]
    marked = _replace(tf.strings.strip(parts.flat_values), NEGATIONS, NEGATION)
    sides = tf.strings.split(_replace(marked, SOFT_BREAKS, SOFT), NEGATION)  # [all parts, sides]
    pieces = tf.strings.split(sides.flat_values, SOFT)  # [all sides, pieces]

    side = pieces.value_rowids()
    # What stands before the first negation of a part is wanted, what follows one is not.
    wanted = tf.equal(tf.gather(_places(sides), side), 0)
    query = tf.gather(parts.value_rowids(), tf.gather(sides.value_rowids(), side))
    texts = _without_stop_words(pieces.flat_values)
    kept = tf.strings.regex_full_match(texts, r"(?s).*[\pL\pN].*")
    rows = tf.boolean_mask(query, kept)
    count = tf.size(queries, tf.int64)

    def padded(values: tf.Tensor) -> tf.Tensor:
        ragged = tf.RaggedTensor.from_value_rowids(tf.boolean_mask(values, kept), rows, nrows=count)
        return ragged[:, :most].to_tensor()

    return Interests(padded(texts), padded(tf.logical_not(wanted)))


def _places(ragged: tf.RaggedTensor) -> tf.Tensor:
    """The place of each value within its row."""
    return tf.ragged.range(ragged.row_lengths()).flat_values


def _replace(text: tf.Tensor, patterns: tuple[str, ...], mark: str) -> tf.Tensor:
    for pattern in patterns:
        text = tf.strings.regex_replace(text, f"(?i){pattern}", mark)
    return text


def _without_stop_words(texts: tf.Tensor) -> tf.Tensor:
    """Takes words that say nothing off both ends."""
    texts = tf.strings.strip(tf.strings.regex_replace(texts, r"\s+", " "))
    texts = tf.strings.regex_replace(texts, rf"(?i)^(?:(?:{STOP_WORDS})(?:\s+|$))+", "")
    texts = tf.strings.regex_replace(texts, rf"(?i)(?:(?:^|\s+)(?:{STOP_WORDS}))+$", "")
    texts = tf.strings.regex_replace(texts, rf"^(?:{CHINESE_STOP_WORDS})+", "")
    texts = tf.strings.regex_replace(texts, r"(?:的|了|吧|吗|呢|啊)+$", "")
    return tf.strings.strip(texts)
