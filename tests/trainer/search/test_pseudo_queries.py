"""Queries that are cut out of what is known of items."""

import numpy as np
import pytest

from preprocessing.schema import RESERVED
from trainer.dataset import read_entities
from trainer.search import pseudo_queries
from trainer.search.pseudo_queries import attribute_values, cut_pseudo_queries, item_documents


@pytest.fixture(scope="module")
def table(examples, schema):
    return read_entities(examples, schema, "items")


def test_pieces_come_from_the_item_they_belong_to(table, schema, examples):
    cut = cut_pseudo_queries(table, schema.items, examples, seed=0)
    values = attribute_values(table, schema.items, examples)
    assert set(cut.items) == set(range(RESERVED, schema.items.size))
    assert (np.diff(cut.items) >= 0).all()
    for item, piece in zip(cut.items, cut.pieces, strict=True):
        text = cut.texts[piece]
        known = [value for attribute in values.values() for value in attribute[item]]
        assert text in known or text in table.texts[item]


def test_attributes_are_told_as_they_were_written(table, schema, examples):
    values = attribute_values(table, schema.items, examples)
    item = table.ids.tolist().index("i3")
    assert "drama" in values["genres"][item]
    assert values["year"][item] == ["1993"]
    assert item_documents(table, schema.items, examples)[item] == f"1993. {table.texts[item]}"


def test_the_same_seed_cuts_the_same(table, schema, examples):
    first, second = (cut_pseudo_queries(table, schema.items, examples, seed=3) for _ in range(2))
    assert first.texts == second.texts
    assert (first.pieces == second.pieces).all()


def test_no_item_outweighs_the_rest_and_there_is_a_limit(table, schema, examples, monkeypatch):
    monkeypatch.setattr(pseudo_queries, "PER_ITEM", 2)
    assert np.bincount(cut_pseudo_queries(table, schema.items, examples, 0).items).max() == 2
    monkeypatch.setattr(pseudo_queries, "MOST", 7)
    cut = cut_pseudo_queries(table, schema.items, examples, 0)
    assert len(cut.items) == len(cut.pieces) == 7
    assert sorted(set(cut.pieces)) == list(range(len(cut.texts)))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One dog. Two cats!", ["One dog", "Two cats"]),
        ("爱情故事。电影美丽", ["爱情故事", "电影美丽"]),
        ("... !?", []),
        ("", []),
    ],
)
def test_sentences_are_cut_in_any_script(text, sentences):
    assert list(pseudo_queries._stretches(text, np.random.default_rng(0))) == sentences


def test_long_sentences_are_cut_to_stretches():
    words = [f"word{number}" for number in range(40)]
    long, short = pseudo_queries._stretches(" ".join(words), np.random.default_rng(0))
    assert long in " ".join(words)
    assert len(long.split()) == pseudo_queries.LONGEST_WORDS
    assert len(short.split()) <= pseudo_queries.SHORT_WORDS[1]
