"""Lays the Beam graph: which step's output is which step's input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsIter, AsSingleton

from preprocessing import check_steps, example_steps, steps
from preprocessing.batches import pack, unpack
from preprocessing.check_steps import COUNTS, REJECTED
from preprocessing.config import KNOWLEDGE, Entities, Knowledge, Temporal
from preprocessing.entities import (
    count_values,
    first_unseen,
    index_ids,
    index_values,
    value_columns,
    vocabulary_file,
)
from preprocessing.filters import k_core
from preprocessing.histories import merge_facts
from preprocessing.knowledge import count_neighbours, entities_are_items, entities_of_links, merge_neighbours
from preprocessing.knowledge_steps import CheckLinks, CheckTriples
from preprocessing.plan import Plan
from preprocessing.schema import PARTS
from preprocessing.shuffle import Shuffle
from preprocessing.sources import Source
from preprocessing.split import temporal_cuts
from preprocessing.steps import FACTS, ITEM_REVIEWS, ITEMS, USER_REVIEWS, USERS
from preprocessing.write import shard_names, write_quarantine, write_summary, write_text


class Graph:
    """Lays the graph of one run; `lay` is called once.

    Args:
      root: the folder that the files are written to, any path that Beam writes.
      shuffle: how what is grouped comes from one step to the next.
    """

    def __init__(self, pipeline: beam.Pipeline, plan: Plan, root: str, shuffle: Shuffle):
        self._pipeline = pipeline
        self._plan = plan
        self._root = root
        self._shuffle = shuffle
        self._counts: list[beam.PCollection] = []
        self._rejected: list[beam.PCollection] = []

    def lay(self) -> None:
        """Lays all steps, from the tables to the summary."""
        plan, shuffle = self._plan, self._shuffle
        item_rows = self._entities(plan.items) if plan.items else None
        user_rows = self._entities(plan.users) if plan.users else None
        batches = self._interactions(item_rows)
        if plan.config.filters.k_core:
            core = AsSingleton(self._k_core(batches, plan.config.filters.k_core))
            keyed = batches | "KeyBatches" >> beam.Map(lambda data: (0, data))
            batches = self._waiting("KeepCoreInteractions", keyed, steps.KeepCoreInteractions(shuffle), core)
            item_rows = item_rows and self._waiting(
                "KeepCoreItems", item_rows, steps.KeepCoreEntities("items", shuffle), core
            )
            user_rows = user_rows and self._waiting(
                "KeepCoreUsers", user_rows, steps.KeepCoreEntities("users", shuffle), core
            )
        histories = self._histories(batches)
        items = self._index("items", histories[ITEMS], item_rows)
        users = self._index("users", histories[USERS], user_rows)
        item_counts = self._value_counts("items", plan.config.items, item_rows)
        item_least = dict.fromkeys(value_columns(plan.config.item_columns), 1)
        neighbours = None
        if plan.config.knowledge and plan.triples:
            neighbours = self._neighbours(plan.config.knowledge, plan.triples, items)
            item_counts.append(neighbours | "CountNeighbours" >> beam.Map(count_neighbours))
            item_least[KNOWLEDGE] = plan.config.knowledge.minimum_items
        item_values = self._vocabularies("items", item_counts, item_least)
        user_counts = self._value_counts("users", plan.config.users, user_rows)
        user_least = dict.fromkeys(value_columns(plan.config.user_columns), 1)
        user_values = self._vocabularies("users", user_counts, user_least)
        if item_rows is None:
            item_rows = items | "ItemsWithoutTable" >> beam.FlatMap(_rows_of_index, plan.partitions)
        of_items = {"rows": item_rows, "neighbours": neighbours, "reviews": histories[ITEM_REVIEWS]}
        of_users = {
            "histories": histories.histories,
            "rows": user_rows,
            "reviews": histories[USER_REVIEWS],
        }
        examples = [
            self._interaction_examples(histories.histories, items, users),
            self._joined("ItemExamples", of_items, example_steps.ItemExamples(plan), items, item_values),
            self._joined(
                "UserExamples", of_users, example_steps.UserExamples(plan), users, items, user_values
            ),
        ]
        self._summary(self._written(examples), histories[FACTS], items, users, item_values, user_values)

    def _step(self, label: str, rows: beam.PCollection, step: beam.DoFn, *sides: Any) -> beam.PCollection:
        """Adds a step, keeps what it counts and rejects, and gives its main output."""
        outputs = rows | label >> beam.ParDo(step, *sides).with_outputs(COUNTS, REJECTED, main="main")
        self._counts.append(outputs[COUNTS])
        self._rejected.append(outputs[REJECTED])
        return outputs.main

    def _waiting(
        self, label: str, pairs: beam.PCollection, step: beam.DoFn, *sides: beam.PCollection
    ) -> beam.PCollection:
        """Adds a step with a side input that comes of the pairs (key, bytes) themselves.

        The pairs wait for it as pieces, and the step itself gets their bytes: Beam would fuse one before it
        with what makes the pieces.
        """
        return self._step(label, self._shuffle.put(f"Put/{label}", pairs), step, *sides)

    def _gather(
        self, label: str, function: Callable[..., Any], *inputs: beam.PCollection
    ) -> beam.PCollection:
        """Calls `function` once with all elements of each input; its result is the one element."""
        return (
            self._pipeline
            | f"{label}Once" >> beam.Create([0], reshuffle=False)
            | label >> beam.Map(lambda _, *elements: function(*elements), *map(AsIter, inputs))
        )

    def _grouped(self, label: str, pairs: beam.PCollection) -> beam.PCollection:
        """Groups pairs (key, bytes) by key."""
        grouped = self._shuffle.put(f"Put/{label}", pairs) | label >> beam.GroupByKey()
        return grouped | f"Get/{label}" >> beam.Map(self._shuffle.get_all)

    def _blocks(self, source: Source) -> beam.PCollection:
        files = self._pipeline | f"Files/{source.name}" >> beam.Create(range(len(source.files)))
        blocks = self._step(f"Divide/{source.name}", files, check_steps.FindBlocks(source))
        # One file is divided by one worker; from here on its blocks are shared.
        get = self._shuffle.get
        return (
            self._shuffle.put(f"Put/{source.name}", blocks)
            | f"Share/{source.name}" >> beam.Reshuffle()
            | f"Get/{source.name}" >> beam.MapTuple(lambda file_number, piece: (file_number, get(piece)))
        )

    def _entities(self, source: Source) -> beam.PCollection:
        name = source.name
        rows = self._step(
            f"Check/{name}", self._blocks(source), check_steps.CheckEntities(source, self._plan.partitions)
        )
        grouped = self._grouped(f"GroupById/{name}", rows)
        return self._step(f"DropDuplicates/{name}", grouped, check_steps.DropDuplicates(source))

    def _interactions(self, item_rows: beam.PCollection | None) -> beam.PCollection:
        source = self._plan.interactions
        check = check_steps.CheckInteractions(source, self._plan.config.filters.minimum_label)
        known = []
        if item_rows:
            ids = item_rows | "Ids/items" >> beam.Map(lambda row: pack([name for name, _ in unpack(row[1])]))
            known = [AsSingleton(self._gather("KnownItems", _ids_of, ids))]
        return self._step("Check/interactions", self._blocks(source), check, *known)

    def _neighbours(self, knowledge: Knowledge, triples: Source, items: beam.PCollection) -> beam.PCollection:
        """Gives (partition, packed neighbours of items)."""
        check = CheckTriples(triples, self._plan.partitions, knowledge.separator)
        entities = AsSingleton(self._item_entities(items))
        found = self._step("Check/triples", self._blocks(triples), check, entities)
        grouped = self._grouped("GroupNeighbours", found)
        return grouped | "MergeNeighbours" >> beam.Map(lambda group: (group[0], merge_neighbours(group[1])))

    def _item_entities(self, items: beam.PCollection) -> beam.PCollection:
        links = self._plan.links
        if links is None:
            return items | "EntitiesAreItems" >> beam.Map(entities_are_items)
        linked = self._step("Check/links", self._blocks(links), CheckLinks(links), AsSingleton(items))
        return self._gather("EntitiesOfLinks", entities_of_links, linked)

    def _k_core(self, batches: beam.PCollection, k: int) -> beam.PCollection:
        pairs = batches | "HashPairs" >> beam.Map(steps.hashed_pairs)
        return self._gather("KCore", lambda chunks: _core_of(chunks, k), pairs)

    def _histories(self, batches: beam.PCollection) -> Any:
        split, partitions = self._plan.config.split, self._plan.partitions
        reviews = self._plan.config.interactions.reviews
        cuts = []
        if isinstance(split, Temporal):
            times = batches | "CountTimes" >> beam.Map(steps.counted_times)
            cuts = [AsSingleton(self._gather("Cuts", lambda chunks: _cuts_of(chunks, split), times))]
        outputs = self._grouped(
            "GroupByUser", batches | "PartitionByUser" >> beam.FlatMap(steps.partitioned, partitions)
        ) | "BuildHistories" >> beam.ParDo(
            steps.BuildHistories(split, reviews, partitions), *cuts
        ).with_outputs(COUNTS, ITEMS, USERS, FACTS, ITEM_REVIEWS, USER_REVIEWS, main="histories")
        self._counts.append(outputs[COUNTS])
        return outputs

    def _index(self, name: str, counts: beam.PCollection, rows: beam.PCollection | None) -> beam.PCollection:
        known = (
            [counts] if rows is None else [counts, rows | f"Untrained/{name}" >> beam.Map(steps.zero_counts)]
        )
        merged = known | f"Known/{name}" >> beam.Flatten(pipeline=self._pipeline)
        index = self._gather(f"Index/{name}", lambda chunks: index_ids(steps.merged_counts(chunks)), merged)
        root = self._root
        _ = index | f"WriteIndex/{name}" >> beam.Map(lambda ids: write_text(root, vocabulary_file(name), ids))
        return index

    def _value_counts(
        self, name: str, table: Entities | None, rows: beam.PCollection | None
    ) -> list[beam.PCollection]:
        if table is None or rows is None:
            return []
        columns = table.columns
        return [rows | f"CountValues/{name}" >> beam.Map(lambda row: count_values(columns, unpack(row[1])))]

    def _vocabularies(
        self, name: str, counts: list[beam.PCollection], least: Mapping[str, int]
    ) -> beam.PCollection:
        merged = counts | f"Values/{name}" >> beam.Flatten(pipeline=self._pipeline)
        vocabularies = self._gather(
            f"Vocabularies/{name}", lambda chunks: _vocabularies_of(chunks, least), merged
        )
        root = self._root
        _ = vocabularies | f"WriteVocabularies/{name}" >> beam.Map(
            lambda found: _write_vocabularies(root, name, found)
        )
        return vocabularies

    def _interaction_examples(
        self, histories: beam.PCollection, items: beam.PCollection, users: beam.PCollection
    ) -> beam.PCollection:
        plan = self._plan
        step = example_steps.InteractionExamples(
            plan.config.window, plan.shards, plan.label is not None, plan.has_time, self._shuffle
        )
        return self._waiting("InteractionExamples", histories, step, AsSingleton(items), AsSingleton(users))

    def _joined(
        self,
        label: str,
        inputs: Mapping[str, beam.PCollection | None],
        step: beam.DoFn,
        *sides: beam.PCollection,
    ) -> beam.PCollection:
        """Joins by partition whatever inputs there are, and adds a step with its side inputs."""
        there = {
            name: self._shuffle.put(f"Put/{label}/{name}", rows)
            for name, rows in inputs.items()
            if rows is not None
        }
        get_all = self._shuffle.get_all
        joined = (
            there
            | f"Join/{label}" >> beam.CoGroupByKey(pipeline=self._pipeline)
            | f"Get/{label}" >> beam.MapTuple(lambda key, found: (key, dict(map(get_all, found.items()))))
        )
        return self._step(label, joined, step, *map(AsSingleton, sides))

    def _written(self, examples: list[beam.PCollection]) -> beam.PCollection:
        # Every file is there, even one without Examples.
        names = [name for files in shard_names(self._plan.shards).values() for name in files]
        empty = self._pipeline | "EveryShard" >> beam.Create([(name, pack([])) for name in names])
        put = self._shuffle.put
        return (
            [put(f"Put/Examples/{number}", each) for number, each in enumerate([*examples, empty])]
            | "Examples" >> beam.Flatten()
            | "GroupByShard" >> beam.GroupByKey()
            | "Get/GroupByShard" >> beam.Map(self._shuffle.get_all)
            | "WriteShard" >> beam.ParDo(example_steps.WriteShard(self._root))
        )

    def _summary(self, shards: beam.PCollection, facts: beam.PCollection, *indices: beam.PCollection) -> None:
        root = self._root
        rejected = self._rejected | "Rejected" >> beam.Flatten()
        rejections = self._gather(
            "WriteQuarantine",
            lambda chunks: write_quarantine(root, (row for chunk in chunks for row in unpack(chunk))),
            rejected,
        )
        counts = self._counts | "Counts" >> beam.Flatten()
        self._gather(
            "WriteSummary",
            lambda *inputs: write_summary(root, _summary_of(*map(list, inputs))),
            *(counts, rejections, shards, facts, *indices),
        )


def _write_vocabularies(root: str, name: str, vocabularies: Mapping[str, Mapping[str, int]]) -> None:
    for column, values in vocabularies.items():
        write_text(root, vocabulary_file(name, column), values)


def _ids_of(chunks: Iterable[bytes]) -> dict[str, None]:
    return {name: None for chunk in chunks for name in unpack(chunk)}


def _rows_of_index(index: Mapping[str, Any], partitions: int) -> Iterator[tuple[int, bytes]]:
    for partition, rows in steps.divided(dict.fromkeys(index, ()), partitions):
        yield partition, pack(list(rows.items()))


def _core_of(chunks: Iterable[bytes], k: int) -> tuple[bytes, bytes]:
    users, items = np.concatenate([np.empty((2, 0), np.uint64), *map(unpack, chunks)], axis=1)
    kept_users, kept_items = k_core(users, items, k)
    return pack(kept_users), pack(kept_items)


def _cuts_of(chunks: Iterable[bytes], split: Temporal) -> tuple[int, int]:
    times, counts = np.concatenate([np.empty((2, 0), np.int64), *map(unpack, chunks)], axis=1)
    return temporal_cuts(times, counts, split.validation, split.test)


def _vocabularies_of(
    chunks: Iterable[Mapping[str, Mapping[str, int]]], least: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Gives each column's values that were counted often enough an index; `least` names every column."""
    totals: dict[str, Counter[str]] = {column: Counter() for column in sorted(least)}
    for columns in chunks:
        for column, counts in columns.items():
            totals[column].update(counts)
    return {
        column: index_values({value: count for value, count in total.items() if count >= least[column]})
        for column, total in totals.items()
    }


def _summary_of(
    counts: list[Any], rejections: list[Any], shards: list[Any], facts: list[bytes], *indices: list[Any]
) -> dict[str, Any]:
    items, users, item_values, user_values = (elements[0] for elements in indices)
    written = dict(shards)
    return {
        "counts": sorted(counts),
        "rejections": rejections[0],
        "examples": {
            part: sum(n for name, n in written.items() if name.startswith(f"{part}-")) for part in PARTS
        },
        "facts": merge_facts([unpack(chunk) for chunk in facts]),
        "items": {"size": len(items), "first_unseen": first_unseen(items), "values": _sizes(item_values)},
        "users": {"size": len(users), "first_unseen": first_unseen(users), "values": _sizes(user_values)},
    }


def _sizes(vocabularies: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {column: len(values) for column, values in vocabularies.items()}
