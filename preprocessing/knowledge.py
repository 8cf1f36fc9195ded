"""Knowledge: from triples and links to each item's neighbours, the entities one triple away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from preprocessing.batches import pack, unpack
from preprocessing.config import KNOWLEDGE
from preprocessing.rows import RowError, id_cell
from preprocessing.sources import Source

EntityItems: TypeAlias = Mapping[str, Sequence[str]]
"""The items that each entity is."""

Neighbours: TypeAlias = dict[str, set[str]]
"""The entities that neighbour each item."""


def check_names(source: Source, cells: list[str]) -> list[str]:
    """Checks a row of names, none of which is empty, and gives them stripped.

    Raises:
      RowError: at the first column that cannot be used.
    """
    return [id_cell(name, cell) for name, cell in zip(source.columns, cells, strict=True)]


def check_triple(source: Source, cells: list[str], separator: str) -> tuple[str, str]:
    """Checks the cells of a triple and gives its head and its tail.

    Raises:
      RowError: a cell is empty, or an entity could not be told from two in a raw cell.
    """
    head, _, tail = check_names(source, cells)
    for name, entity in (("head", head), ("tail", tail)):
        if separator in entity:
            raise RowError(
                f"{name}: {entity!r} holds {separator!r}, which stands between entities; "
                "set knowledge.separator to another character",
                f"{name} holds {separator!r}, the knowledge.separator",
            )
    return head, tail


def entities_of_links(chunks: Iterable[bytes]) -> dict[str, tuple[str, ...]]:
    """Puts packed links (item, entity) together."""
    items = defaultdict(set)
    for chunk in chunks:
        for item, entity in unpack(chunk):
            items[entity].add(item)
    return {entity: tuple(sorted(names)) for entity, names in items.items()}


def entities_are_items(items: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Takes every item for the entity of the same name."""
    return {item: (item,) for item in items}


def facts_about_items(head: str, tail: str, entities: EntityItems) -> Iterator[tuple[str, str]]:
    """Yields (item, neighbour) for each item that the head or the tail of a triple is."""
    for entity, neighbour in ((head, tail), (tail, head)):
        for item in entities.get(entity, ()):
            yield item, neighbour


def merge_neighbours(chunks: Iterable[bytes]) -> bytes:
    """Puts packed neighbours together, each entity once an item."""
    merged: Neighbours = defaultdict(set)
    for chunk in chunks:
        for item, entities in unpack(chunk).items():
            merged[item] |= entities
    return pack(dict(merged))


def count_neighbours(group: tuple[int, bytes]) -> dict[str, dict[str, int]]:
    """Counts the items of a partition that each entity neighbours, as the values of their attribute."""
    neighbours: Neighbours = unpack(group[1])
    return {KNOWLEDGE: dict(Counter(entity for entities in neighbours.values() for entity in entities))}


def knowledge_cell(entities: Iterable[str], vocabulary: Mapping[str, int], separator: str) -> str:
    """Writes the neighbours that the vocabulary has as one cell, in the vocabulary's order."""
    return separator.join(
        sorted((name for name in entities if name in vocabulary), key=vocabulary.__getitem__)
    )
