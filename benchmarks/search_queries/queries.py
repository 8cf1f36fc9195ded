"""Makes queries about held-out items."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.search_queries.held_out import HeldOut
from benchmarks.search_queries.items import Item
from preprocessing.schema import InputError

MOST_INTERESTS = 3
PHRASES = ("{}", "{}", "something with {}", "{} please", "I would like {}")
JOINTS = (", ", " and ", "; ", " but also ")
NEGATIONS = (", no {}", ", nothing {}", " but not {}", ", without {}", " and definitely no {}")
QUOTED = (6, 12)
"""Words of a quotation."""

NEGATED = 0.3
"""The share of queries that say what is not wanted."""

BROAD_ALONE = 0.3
"""How often a lone interest may be of the column with the fewest values, which hundreds of items fit."""


@dataclass(frozen=True)
class Query:
    """A query and what answers it.

    Attributes:
      item: the id of the one that is asked for.
      interests: how many were joined.
      values: the attributes among them.
      quotation: the words of the withheld sentence among them; `""` without.
      wanted: the text up to what is not wanted.
      negated: an attribute that is not wanted, and that the item does not have; `""` without.
      text: all of it.
    """

    item: str
    interests: int
    values: tuple[str, ...]
    quotation: str
    wanted: str
    negated: str
    text: str

    @property
    def without_negation(self) -> str:
        """The text as it reads to who takes what is not wanted for wanted."""
        return f"{self.wanted}, {self.negated}" if self.negated else self.wanted


def draw_queries(
    held_out: Sequence[HeldOut], items: Mapping[str, Item], count: int, seed: int
) -> list[Query]:
    """Draws queries of one, two and three interests, a third each.

    An interest is a value of an attribute or a stretch of the item's withheld sentence.

    Args:
      held_out: the items that are asked for.
      items: all by id.
      count: of queries.
      seed: of all draws.

    Raises:
      InputError: not enough is known of any held-out item to ask for it in so many ways.
    """
    generator = random.Random(seed)
    found: dict[str, set[str]] = {}
    for item in items.values():
        for column, values in item.values.items():
            found.setdefault(column, set()).update(values)
    broad = min(sorted(found), key=lambda column: len(found[column]))
    queries = []
    for number in range(count):
        interests = 1 + number % MOST_INTERESTS
        # The quotation is one interest, each value another.
        able = [each for each in held_out if len(each.item.attributes) + 1 >= interests]
        if not able:
            raise InputError(f"no held-out item has {interests - 1} attributes to ask for beside its text")
        drawing = _Drawing(generator.choice(able), broad, sorted(found[broad]), generator)
        queries.append(drawing.query(interests))
    return queries


@dataclass(frozen=True)
class _Drawing:
    """Draws what is asked about one item.

    Attributes:
      held_out: the item.
      broad: the column with the fewest values.
      unwanted: its values.
      generator: of all draws.
    """

    held_out: HeldOut
    broad: str
    unwanted: Sequence[str]
    generator: random.Random

    def query(self, interests: int) -> Query:
        values, quotation = self._interests(interests)
        parts = [self.generator.choice(PHRASES).format(value) for value in values]
        parts += [quotation] if quotation else []
        self.generator.shuffle(parts)
        wanted = parts[0] + "".join(self.generator.choice(JOINTS) + part for part in parts[1:])
        negated = cue = ""
        if self.generator.random() < NEGATED:
            has = self.held_out.item.attributes
            negated = self.generator.choice([each for each in self.unwanted if each.casefold() not in has])
            cue = self.generator.choice(NEGATIONS).format(negated)
        name = self.held_out.item.name
        return Query(name, interests, tuple(values), quotation, wanted, negated, wanted + cue)

    def _interests(self, count: int) -> tuple[list[str], str]:
        """Values, of which none is there twice, and a quotation or `""`; together so many."""
        values: dict[str, str] = {}
        quotation = ""
        while len(values) + bool(quotation) < count:
            column = self.generator.choice([*self.held_out.item.values, ""])
            if not column:
                quotation = quotation or self._quotation()
            elif count > 1 or column != self.broad or self.generator.random() < BROAD_ALONE:
                value = self.generator.choice(self.held_out.item.values[column])
                values.setdefault(value.casefold(), value)
        return list(values.values()), quotation

    def _quotation(self) -> str:
        words = self.held_out.sentence
        length = self.generator.randint(*QUOTED)
        begin = self.generator.randint(0, max(len(words) - length, 0))
        return " ".join(words[begin : begin + length])
