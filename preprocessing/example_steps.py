"""The Beam DoFns of the second half: from histories and rows of attributes to files of Examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import apache_beam as beam

from preprocessing.batches import pack, unpack
from preprocessing.check_steps import count
from preprocessing.columns import Column, in_text
from preprocessing.config import KNOWLEDGE, Entities
from preprocessing.entities import EntityEncoder, Row, Vocabularies, count_filled
from preprocessing.histories import Histories, Index, held_out_examples, train_examples
from preprocessing.knowledge import knowledge_cell
from preprocessing.plan import Plan
from preprocessing.reviews import merge_reviews, review_cells
from preprocessing.schema import Part
from preprocessing.schema.serialized import serialize
from preprocessing.shuffle import Shuffle
from preprocessing.split import TEST, VALIDATION
from preprocessing.text import Tokenizer
from preprocessing.write import shard_of, write_shard

Joined: TypeAlias = Mapping[str, Iterable[bytes]]
"""What is known of a partition's items or users, in packed chunks by where it comes from."""


def _sharded(
    part: Part, shards: int, examples: Iterable[tuple[int, int, Mapping[str, Any]]]
) -> Iterator[tuple[str, bytes]]:
    files = defaultdict(list)
    for index, start, features in examples:
        files[shard_of(part, index, shards)].append((index, start, serialize(features)))
    for name, rows in files.items():
        yield name, pack(rows)


class InteractionExamples(beam.DoFn):
    """Turns histories into the Examples of train, validation and test: (file, packed Examples)."""

    def __init__(self, window: int, shards: int, has_label: bool, has_time: bool, shuffle: Shuffle):
        self._shuffle = shuffle
        self._window = window
        self._shards = shards
        self._columns = {"has_label": has_label, "has_time": has_time}

    def process(self, group: tuple[int, bytes], items: Index, users: Index) -> Iterator[tuple[str, bytes]]:
        """Yields each file's Examples."""
        histories: Histories = unpack(self._shuffle.get(group[1]))
        train = train_examples(histories, items, users, self._window, **self._columns)
        yield from _sharded("train", self._shards, train)
        parts: tuple[tuple[Part, int], ...] = (("validation", VALIDATION), ("test", TEST))
        for part, number in parts:
            examples = held_out_examples(histories, number, items, users, **self._columns)
            yield from _sharded(part, self._shards, examples)


class _EntityExamples(beam.DoFn):
    """Holds the encoder, which every worker makes once."""

    def __init__(self, plan: Plan, table: Entities | None, columns: Mapping[str, Column]):
        self._table = table
        self._columns = columns
        self._interactions = plan.config.interactions
        self._max_tokens = plan.config.language_model.max_tokens
        self._language_model = plan.language_model
        self._shards = plan.shards

    def setup(self) -> None:
        """Makes the tokenizer, if there is text."""
        tokenizer = None
        if self._language_model and any(map(in_text, self._columns.values())):
            model = self._language_model
            tokenizer = Tokenizer(model.vocabulary, model.lower_case, self._max_tokens)
        display = self._table.display_column if self._table else None
        self._encoder = EntityEncoder(self._columns, display, self._max_tokens, tokenizer)

    def _review_cells(self, joined: Joined) -> Callable[[str], list[str]]:
        """Gives the function that writes the reviews of an id as cells."""
        reviews = merge_reviews(joined["reviews"], self._interactions.reviews)
        columns = self._interactions.review_columns
        return lambda name: review_cells(reviews.get(name, ()), columns)

    def _filled(self, table: str, rows: Iterable[Row]) -> Iterator[Any]:
        for name, number in count_filled(self._columns, rows).items():
            yield count(table, "filled", name, number)


class ItemExamples(_EntityExamples):
    """Joins a partition's rows of items with their knowledge and reviews: (file, packed Examples)."""

    def __init__(self, plan: Plan):
        super().__init__(plan, plan.config.items, plan.config.item_columns)
        self._knowledge = plan.config.knowledge

    def process(
        self, group: tuple[int, Joined], index: Index, vocabularies: Vocabularies
    ) -> Iterator[tuple[str, bytes]]:
        """Yields each file's Examples, with the number of training interactions."""
        knowledge = self._knowledge_cells(group[1], vocabularies)
        reviews = self._review_cells(group[1])
        rows: list[Row] = [
            (name, [*cells, *knowledge(name), *reviews(name)])
            for chunk in group[1]["rows"]
            for name, cells in unpack(chunk)
        ]
        encoded = self._encoder.encode(rows, index, vocabularies)
        counted = (
            features | {"count": [index[name][1]]} for features, (name, _) in zip(encoded, rows, strict=True)
        )
        yield from _sharded("items", self._shards, ((row["index"][0], 0, row) for row in counted))
        yield count("items", "kept", "", len(rows))
        yield from self._filled("items", rows)

    def _knowledge_cells(self, joined: Joined, vocabularies: Vocabularies) -> Callable[[str], list[str]]:
        """Gives the function that writes the neighbours of an item as a cell."""
        if self._knowledge is None:
            return lambda name: []
        neighbours = {item: found for chunk in joined["neighbours"] for item, found in unpack(chunk).items()}
        vocabulary, separator = vocabularies[KNOWLEDGE], self._knowledge.separator
        return lambda name: [knowledge_cell(neighbours.get(name, ()), vocabulary, separator)]


class UserExamples(_EntityExamples):
    """Joins a partition's histories with its rows of users and their reviews: (file, packed Examples)."""

    def __init__(self, plan: Plan):
        super().__init__(plan, plan.config.users, plan.config.user_columns)

    def process(
        self,
        group: tuple[int, Joined],
        index: Index,
        items: Index,
        vocabularies: Vocabularies,
    ) -> Iterator[Any]:
        """Yields each file's Examples; who stands in only one of the two is there as well."""
        rows: dict[str, Any] = dict(row for chunk in group[1].get("rows", ()) for row in unpack(chunk))
        histories: dict[str, list[int]] = {}
        for chunk in group[1]["histories"]:
            known: Histories = unpack(chunk)
            indices = known.item_indices(items)
            for user, place in known:
                histories[user] = indices[place].tolist()
        nothing = [""] * len(self._table.columns) if self._table else []
        reviews = self._review_cells(group[1])
        users: list[Row] = [
            (user, [*rows.get(user, nothing), *reviews(user)])
            for user in sorted(rows.keys() | histories.keys())
        ]
        encoded = self._encoder.encode(users, index, vocabularies)
        examples = (
            features | {"history": histories.get(user, [])}
            for features, (user, _) in zip(encoded, users, strict=True)
        )
        yield from _sharded("users", self._shards, ((row["index"][0], 0, row) for row in examples))
        yield from self._filled("users", users)
        if self._table is not None:
            yield count("users", "kept", "", len(rows))
            yield count("users", "without_row", "", len(histories.keys() - rows.keys()))


class WriteShard(beam.DoFn):
    """Writes one file: gives (file name, number of Examples)."""

    def __init__(self, root: str):
        self._root = root

    def process(self, group: tuple[str, Iterable[bytes]]) -> Iterator[tuple[str, int]]:
        """Yields once, when the file is whole."""
        name, chunks = group
        yield name, write_shard(self._root, name, (row for chunk in chunks for row in unpack(chunk)))
