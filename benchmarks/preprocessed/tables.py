"""Makes tables of any size: few users do much, few items get much, and some rows cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

SEED = 0
CHUNK_ROWS = 1_000_000
ROWS_A_USER, ROWS_AN_ITEM = 40, 100
USER_EXPONENT, ITEM_EXPONENT = 0.5, 0.9
BROKEN_EVERY, DUPLICATE_EVERY = 1009, 101
FIRST_SECOND, SECONDS = 1_500_000_000, 200_000_000
CATEGORIES = 20
WORDS = """
the night of a quiet river garden history cooking winter small red house love war letters from an island
stars travel guide modern music dragon city secret sea light bread stone and two brothers
"""
INTERACTIONS, ITEMS, CONFIG = "interactions.tsv", "items.tsv", "config.yaml"

CONFIG_TEXT = """\
name: generated
data:
  interactions:
    path: interactions.tsv
    columns:
      user_id: {kind: id}
      item_id: {kind: id}
      rating: {kind: label}
      time: {kind: time}
  items:
    path: items.tsv
    columns:
      item_id: {kind: id}
      title: {kind: text}
      category: {kind: categorical, in_text: true}
  language_model: {path: "LANGUAGE_MODEL", max_tokens: 32}
"""


def write_tables(folder: Path, rows: int, language_model: str) -> Path:
    """Writes interactions, items and a config; no more than a chunk of rows is held.

    Args:
      folder: the folder to write.
      rows: interactions.
      language_model: what the config says of it.

    Returns:
      the config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(SEED)
    users, items = max(10, rows // ROWS_A_USER), max(10, rows // ROWS_AN_ITEM)
    _write(folder / INTERACTIONS, _interactions(generator, rows, users, items))
    _write(folder / ITEMS, _items(generator, items))
    config = folder / CONFIG
    config.write_text(CONFIG_TEXT.replace("LANGUAGE_MODEL", language_model), encoding="utf-8")
    return config


def _write(path: Path, chunks: Iterator[pa.Table]) -> None:
    options = csv.WriteOptions(delimiter="\t", quoting_style="none")
    first = next(chunks)
    with csv.CSVWriter(path, first.schema, write_options=options) as writer:
        writer.write(first)
        for chunk in chunks:
            writer.write(chunk)


def _interactions(generator: np.random.Generator, rows: int, users: int, items: int) -> Iterator[pa.Table]:
    for start in range(0, rows, CHUNK_ROWS):
        size = min(CHUNK_ROWS, rows - start)
        ratings = generator.integers(1, 6, size).astype(str).astype(object)
        ratings[np.arange(start, start + size) % BROKEN_EVERY == BROKEN_EVERY - 1] = "?"
        columns = {
            "user_id": _names("u", _ranks(generator, size, users, USER_EXPONENT)),
            "item_id": _names("i", _ranks(generator, size, items, ITEM_EXPONENT)),
            "rating": pa.array(ratings, pa.string()),
            "time": pa.array(FIRST_SECOND + generator.integers(0, SECONDS, size)).cast(pa.string()),
        }
        yield pa.table(columns)


def _items(generator: np.random.Generator, items: int) -> Iterator[pa.Table]:
    words = WORDS.split()
    for start in range(0, items, CHUNK_ROWS):
        numbers = np.arange(start, min(start + CHUNK_ROWS, items))
        numbers[numbers % DUPLICATE_EVERY == DUPLICATE_EVERY - 1] -= 1
        titles = [
            " ".join(generator.choice(words, length)) for length in generator.integers(2, 9, len(numbers))
        ]
        categories = generator.integers(0, CATEGORIES, len(numbers))
        yield pa.table(
            {"item_id": _names("i", numbers), "title": titles, "category": _names("c", categories)}
        )


def _ranks(generator: np.random.Generator, size: int, number: int, exponent: float) -> np.ndarray:
    """Draws from 0 to `number - 1`; the probability of rank r falls as `(r + 1) ** -exponent`."""
    power = 1 - exponent
    drawn = (generator.random(size) * (number**power - 1) + 1) ** (1 / power)
    return np.minimum(drawn.astype(np.int64), number) - 1


def _names(letter: str, numbers: np.ndarray) -> pa.Array:
    return pa.array(np.char.add(letter, numbers.astype(str)))
