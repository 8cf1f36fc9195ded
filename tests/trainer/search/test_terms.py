"""BM25 over token ids, against the formula written out."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.search.terms import COMMON, LENGTH_PART, SATURATION, TermIndex

VOCABULARY = 50


def written_out(terms, token, item):
    holders = sum(token in row for row in terms)
    if holders > COMMON * len(terms):
        return 0.0
    rarity = math.log(1 + (len(terms) - holders + 0.5) / (holders + 0.5))
    count = list(terms[item]).count(token)
    relative = len(terms[item]) / (sum(map(len, terms)) / len(terms))
    return (
        rarity * count * (SATURATION + 1) / (count + SATURATION * (1 - LENGTH_PART + LENGTH_PART * relative))
    )


@pytest.fixture(scope="module")
def terms():
    generator = np.random.default_rng(0)
    drawn = [generator.zipf(1.3, generator.integers(1, 30)) for _ in range(40)]
    return [np.zeros(0, np.int32), *(row[row < VOCABULARY].astype(np.int32) for row in drawn)]


def test_scores_are_bm25(terms):
    tokens = np.array([[3, 0, 7, 2], [40, 49, 0, 0], [0, 0, 0, 0]], np.int32)
    scores = TermIndex(terms, VOCABULARY).scores(tf.constant(tokens)).numpy()
    assert scores.shape == (3, len(terms))
    for interest, row in enumerate(tokens):
        for item in range(len(terms)):
            expected = sum(written_out(terms, token, item) for token in row if token)
            assert scores[interest, item] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_what_most_items_have_tells_nothing(terms):
    common = [np.append(row, 5).astype(np.int32) for row in terms]
    assert not TermIndex(common, VOCABULARY).scores(tf.constant([[5]])).numpy().any()


def test_no_interest_and_no_tokens_are_no_error(terms):
    assert TermIndex(terms, VOCABULARY).scores(tf.zeros([0, 0], tf.int32)).shape == (0, len(terms))
    assert TermIndex([np.zeros(0, np.int32)] * 3, VOCABULARY).scores(tf.constant([[4]])).shape == (1, 3)
