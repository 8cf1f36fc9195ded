"""The Beam DoFns of knowledge: from raw links and triples to the neighbours of items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from apache_beam.pvalue import TaggedOutput

from preprocessing.batches import pack, partition_of
from preprocessing.check_steps import REJECTED, CheckRows, count
from preprocessing.histories import Index
from preprocessing.knowledge import EntityItems, Neighbours, check_names, check_triple, facts_about_items
from preprocessing.sources import Source
from preprocessing.write import Rejection


class CheckLinks(CheckRows):
    """Turns blocks of raw links into packed pairs (item, entity)."""

    def process(self, block: tuple[int, bytes], items: Index) -> Iterator[Any]:
        """Yields the links of items in the catalogue; what a list of links has beyond it does no harm."""
        records = self._records(block)
        yield self._read(records)
        rejections: list[Rejection] = []
        links, strange = [], 0
        for _, (item, entity) in self._checked(
            block[0], records, rejections, lambda cells: check_names(self._source, cells)
        ):
            if item in items:
                links.append((item, entity))
            else:
                strange += 1
        yield pack(links)
        yield count(self._source.name, "kept", "", len(links))
        yield count(self._source.name, "filtered", "not_in_catalogue", strange)
        if rejections:
            yield TaggedOutput(REJECTED, pack(rejections))


class CheckTriples(CheckRows):
    """Turns blocks of raw triples into (partition of the item, packed neighbours)."""

    def __init__(self, source: Source, partitions: int, separator: str):
        super().__init__(source)
        self._partitions = partitions
        self._separator = separator

    def process(self, block: tuple[int, bytes], entities: EntityItems) -> Iterator[Any]:
        """Yields what the triples say about items; most of a general knowledge base is about none."""
        records = self._records(block)
        yield self._read(records)
        rejections: list[Rejection] = []
        partitions: dict[int, Neighbours] = defaultdict(lambda: defaultdict(set))
        kept = strange = 0
        for _, (head, tail) in self._checked(
            block[0],
            records,
            rejections,
            lambda cells: check_triple(self._source, cells, self._separator),
        ):
            facts = list(facts_about_items(head, tail, entities))
            for item, neighbour in facts:
                partitions[partition_of(item, self._partitions)][item].add(neighbour)
            if facts:
                kept += 1
            else:
                strange += 1
        for partition, neighbours in partitions.items():
            yield partition, pack(dict(neighbours))
        yield count(self._source.name, "kept", "", kept)
        yield count(self._source.name, "filtered", "about_no_item", strange)
        if rejections:
            yield TaggedOutput(REJECTED, pack(rejections))
