"""Judges what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search_queries.found import K
from benchmarks.search_queries.queries import MOST_INTERESTS, Query
from pipelines.evaluation.measures import Metric

PRECISION, NEGATED = "Attribute precision@10", "Negated@10"
INTERESTS = {count: f"Recall@10, {count} interest{'s' if count > 1 else ''}" for count in (1, 2, 3)}
RECALL = "Recall@10"


@dataclass(frozen=True)
class Found:
    """Who found what: item indices `[Q, K]`, 0 for none."""

    name: str
    peer: bool
    items: np.ndarray


@dataclass(frozen=True)
class Row:
    """How well somebody finds.

    Attributes:
      metrics: by name; one that no query can judge is not there. `Recall@10` is the share of queries whose
        item is among the first ten; `Attribute precision@10` is the share of these ten that has an attribute
        which was asked for; `Negated@10` the share that has the one that is not wanted.
    """

    name: str
    peer: bool
    metrics: dict[str, Metric]


@dataclass(frozen=True)
class Latency:
    """How long single calls take, in milliseconds."""

    calls: int
    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: np.ndarray) -> Latency:
        """Sums up calls `[C]`."""
        p50, p95 = np.quantile(seconds * 1000, [0.5, 0.95]).tolist()
        return cls(len(seconds), p50, p95)


@dataclass(frozen=True)
class Report:
    """What the benchmark found.

    Attributes:
      name: of the data set.
      items: in the catalogue.
      held_out: of them came after training, and are asked for.
      queries: by the number of interests.
      negations: queries that say what is not wanted.
      rows: the first is the model as it answers.
      differences: the first row's recall minus that of each other one, on the same queries.
      latency: of the signature.
    """

    name: str
    items: int
    held_out: int
    queries: dict[int, int]
    negations: int
    rows: list[Row]
    differences: dict[str, dict[str, Metric]]
    latency: Latency


class Judge:
    """Knows what is right.

    Args:
      queries: what was asked.
      targets: the index of the item of each `[Q]`.
      attributes: of each item by index.
    """

    def __init__(
        self, queries: Sequence[Query], targets: np.ndarray, attributes: Sequence[frozenset[str]]
    ) -> None:
        self._queries = queries
        self._targets = targets
        self._attributes = attributes
        self._interests = np.array([query.interests for query in queries])

    def row(self, found: Found) -> Row:
        """All metrics of one."""
        precision = self._shares(found.items, lambda query: query.values)
        negated = self._shares(found.items, lambda query: (query.negated,) if query.negated else ())
        values = self._recalls(found) | {PRECISION: precision, NEGATED: negated}
        return Row(found.name, found.peer, _means(values))

    def differences(self, one: Found, other: Found) -> dict[str, Metric]:
        """By how much one recalls more than the other, over all queries and by their number of interests."""
        less = self._recalls(other)
        return _means({name: values - less[name] for name, values in self._recalls(one).items()})

    def _recalls(self, found: Found) -> dict[str, np.ndarray]:
        hits = (found.items == self._targets[:, None]).any(1).astype(float)
        slices = {name: hits[self._interests == count] for count, name in INTERESTS.items()}
        return {RECALL: hits} | slices

    def _shares(self, found: np.ndarray, asked: Callable[[Query], Sequence[str]]) -> np.ndarray:
        """The share of the first ten that has an attribute, averaged over those that a query asks for.

        Queries that ask for none are left out.
        """
        shares = []
        for query, items in zip(self._queries, found, strict=True):
            values = [value.casefold() for value in asked(query)]
            if values:
                has = sum(value in self._attributes[item] for item in items for value in values)
                shares.append(has / (K * len(values)))
        return np.array(shares)


def count_queries(queries: Sequence[Query]) -> dict[int, int]:
    """How many queries have so many interests."""
    return {
        count: sum(query.interests == count for query in queries) for count in range(1, MOST_INTERESTS + 1)
    }


def _means(values: Mapping[str, np.ndarray]) -> dict[str, Metric]:
    """The mean of each, with its interval over queries."""
    return {name: Metric.means({name: each})[name] for name, each in values.items() if len(each)}
