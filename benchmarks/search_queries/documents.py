"""What is written about the items of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from benchmarks.search_queries.items import Item
from preprocessing.schema import Schema
from trainer.dataset import read_entities
from trainer.raw_columns import join_text
from trainer.search.pseudo_queries import item_documents
from trainer.search.reading import search_text


def read_documents(examples: Path, catalogue: Sequence[str], items: Mapping[str, Item]) -> list[str]:
    """Texts and attributes of each item by index, as search reads them; `""` for the reserved indices.

    Args:
      examples: the examples folder: it says what is known of the items that were trained on.
      catalogue: ids by index, those of added items last.
      items: the added ones, at least.
    """
    schema = Schema.read(examples)
    trained = read_entities(examples, schema, "items")
    text = search_text(schema.items)
    documents = item_documents(trained, schema.items, examples)
    added = [items[name].cells for name in catalogue[len(documents) :]]
    cells = {column.name: [row.get(column.name, "") for row in added] for column in text.columns}
    joined = join_text(text, {name: tf.constant(column, tf.string) for name, column in cells.items()})
    return documents + [document.decode() for document in joined.numpy()]
