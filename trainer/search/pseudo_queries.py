"""Cuts queries out of what is known of items, so that search is learned without anybody's labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preprocessing.schema import RESERVED, Entity, read_vocabulary
from trainer.dataset import EntityTable

LONGEST_WORDS, SHORT_WORDS = 12, (2, 5)
"""A piece is at most so long; of one that is longer than the second a short stretch is asked for too."""

PER_ITEM = 12
"""Pieces of one item, so that long texts do not outweigh the rest."""

MOST = 60_000
"""Pieces in all: reading these takes the language model some two minutes on two cores."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])\s*|\n+")
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\s぀-ヿ㐀-鿿가-힯]+\s*")
"""A word, or a character of a script that writes none apart."""


@dataclass(frozen=True)
class PseudoQueries:
    """Pieces of what is known of items.

    Attributes:
      texts: each piece once.
      items: `[P]` the item index of each pair.
      pieces: `[P]` the row of `texts` that belongs to it; pairs stand item by item.
    """

    texts: list[str]
    items: np.ndarray
    pieces: np.ndarray


def cut_pseudo_queries(table: EntityTable, entity: Entity, examples: Path, seed: int) -> PseudoQueries:
    """Cuts sentences, titles and stretches of them, and attribute values, knowledge neighbours among them.

    The same input gives the same pieces.

    Args:
      table: the items.
      entity: the items of the schema.
      examples: the folder that vocabularies are relative to.
      seed: of what is cut where, and of what is left out when there is too much.
    """
    generator = np.random.default_rng(seed)
    attributes = attribute_values(table, entity, examples).values()
    rows: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    for item in range(RESERVED, entity.size):
        values = (value for attribute in attributes for value in attribute[item])
        found = list(dict.fromkeys([*_stretches(table.texts[item], generator), *values]))
        if len(found) > PER_ITEM:
            found = [found[place] for place in sorted(generator.choice(len(found), PER_ITEM, replace=False))]
        pairs += [(item, rows.setdefault(text, len(rows))) for text in found]
    chosen = np.array(pairs, np.int64).reshape(-1, 2)
    if len(chosen) > MOST:
        chosen = chosen[np.sort(generator.choice(len(chosen), MOST, replace=False))]
    used, pieces = np.unique(chosen[:, 1], return_inverse=True)
    texts = list(rows)
    return PseudoQueries([texts[row] for row in used], chosen[:, 0], pieces)


def attribute_values(table: EntityTable, entity: Entity, examples: Path) -> dict[str, list[list[str]]]:
    """By categorical or multiple attribute the values of each item, as they are written."""
    values: dict[str, list[list[str]]] = {}
    for feature in entity.features:
        if feature.kind not in ("categorical", "multi"):
            continue
        names = read_vocabulary(examples / str(feature.vocabulary))
        indices = table.features[feature.name].reshape(entity.size, -1)
        values[feature.name] = [
            [names[index - RESERVED] for index in row if index >= RESERVED] for row in indices
        ]
    return values


def item_documents(table: EntityTable, entity: Entity, examples: Path) -> list[str]:
    """Everything that is written about each item, joined as `trainer.search.reading.search_text` says."""
    named = {column.name for column in entity.text.columns} if entity.text else set()
    found = attribute_values(table, entity, examples)
    shown = [rows for name, rows in found.items() if name not in named]
    return [
        ". ".join(part for part in (*(", ".join(rows[item]) for rows in shown), table.texts[item]) if part)
        for item in range(entity.size)
    ]


def _stretches(text: str, generator: np.random.Generator) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        words = _WORD.findall(sentence)
        if not any(word[0].isalnum() for word in words):
            continue
        yield _stretch(words, LONGEST_WORDS, generator)
        if len(words) > SHORT_WORDS[1]:
            yield _stretch(words, int(generator.integers(*SHORT_WORDS, endpoint=True)), generator)


def _stretch(words: list[str], length: int, generator: np.random.Generator) -> str:
    begin = int(generator.integers(0, max(len(words) - length, 0), endpoint=True))
    return "".join(words[begin : begin + length]).strip(" \t.,;:!?\"'()，。；：！？、")
