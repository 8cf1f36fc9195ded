"""The Beam DoFns of the second half: from histories and rows of attributes to files of Examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from preprocessing.batches import pack, unpack
from preprocessing.config import Entities
from preprocessing.entities import EntityEncoder, Row, Vocabularies
from preprocessing.histories import Histories, Index, held_out_examples, train_examples
from preprocessing.plan import Plan
from preprocessing.schema import Part
from preprocessing.schema.examples import serialize
from preprocessing.split import TEST, VALIDATION
from preprocessing.steps import count
from preprocessing.text import Tokenizer
from preprocessing.write import shard_of, write_shard


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

    def __init__(self, window: int, shards: int, has_label: bool, has_time: bool):
        self._window = window
        self._shards = shards
        self._columns = {"has_label": has_label, "has_time": has_time}

    def process(self, group: tuple[int, bytes], items: Index, users: Index) -> Iterator[tuple[str, bytes]]:
        """Yields each file's Examples."""
        histories: Histories = unpack(group[1])
        train = train_examples(histories, items, users, self._window, **self._columns)
        yield from _sharded("train", self._shards, train)
        parts: tuple[tuple[Part, int], ...] = (("validation", VALIDATION), ("test", TEST))
        for part, number in parts:
            examples = held_out_examples(histories, number, items, users, **self._columns)
            yield from _sharded(part, self._shards, examples)


class _EntityExamples(beam.DoFn):
    """Holds the encoder, which every worker makes once."""

    def __init__(self, plan: Plan, table: Entities | None):
        self._table = table
        self._max_tokens = plan.config.language_model.max_tokens
        self._language_model = plan.language_model
        self._shards = plan.shards

    def setup(self) -> None:
        """Makes the tokenizer, if the table has text."""
        tokenizer = None
        if self._language_model and self._table and self._table.text_columns:
            model = self._language_model
            tokenizer = Tokenizer(model.vocabulary, model.lower_case, self._max_tokens)
        self._encoder = EntityEncoder(self._table, self._max_tokens, tokenizer)


class ItemExamples(_EntityExamples):
    """Turns the rows of items into (file, packed Examples)."""

    def process(
        self, group: tuple[int, bytes], index: Index, vocabularies: Vocabularies
    ) -> Iterator[tuple[str, bytes]]:
        """Yields each file's Examples, with the number of training interactions."""
        rows: list[Row] = unpack(group[1])
        encoded = self._encoder.encode(rows, index, vocabularies)
        counted = (
            features | {"count": [index[name][1]]} for features, (name, _) in zip(encoded, rows, strict=True)
        )
        yield from _sharded("items", self._shards, ((row["index"][0], 0, row) for row in counted))
        yield count("items", "kept", "", len(rows))


class UserExamples(_EntityExamples):
    """Joins a partition's histories with its rows of the users table: (file, packed Examples)."""

    def process(
        self,
        group: tuple[int, Mapping[str, Iterable[bytes]]],
        index: Index,
        items: Index,
        vocabularies: Vocabularies,
    ) -> Iterator[Any]:
        """Yields each file's Examples; who stands in only one of the two is there as well."""
        rows: dict[str, Any] = dict(row for chunk in group[1].get("rows", ()) for row in unpack(chunk))
        histories: dict[str, list[int]] = {}
        for chunk in group[1]["histories"]:
            known: Histories = unpack(chunk)
            for user, place in known:
                histories[user] = [items[item][0] for item in known.rows.items[place]]
        users: list[Row] = [(user, rows.get(user, ())) for user in sorted(rows.keys() | histories.keys())]
        encoded = self._encoder.encode(users, index, vocabularies)
        examples = (
            features | {"history": histories.get(user, [])}
            for features, (user, _) in zip(encoded, users, strict=True)
        )
        yield from _sharded("users", self._shards, ((row["index"][0], 0, row) for row in examples))
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
