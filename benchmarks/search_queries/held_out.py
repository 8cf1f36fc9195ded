"""Keeps items from training, to be added to the finished model and asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.search_queries.items import (
    SHORTEST_QUOTED,
    Item,
    longest_text,
    quoted_words,
    read_items,
    read_rows,
    sentences,
)
from pipelines.config import RunConfig
from preprocessing.columns import Column, TextColumn
from preprocessing.config import Entities, Interactions
from preprocessing.plan import make_plan
from preprocessing.rows import WHITESPACE
from preprocessing.schema import InputError

LEAST_CANDIDATES = 2
"""So many times the held-out items there must be that could be, so that most are still trained on."""


@dataclass(frozen=True)
class HeldOut:
    """An item that training does not see.

    Attributes:
      item: without the sentence that queries quote.
      sentence: the words of it.
    """

    item: Item
    sentence: tuple[str, ...]


@dataclass(frozen=True)
class Tables:
    """The tables without the held-out items.

    Attributes:
      config: of the model, with these tables.
      items: all that are there, the held-out ones as they are added.
      held_out: in the order in which they were drawn.
      new: what `tandem index add` reads.
    """

    config: RunConfig
    items: dict[str, Item]
    held_out: tuple[HeldOut, ...]
    new: Path


def write_tables(config: RunConfig, folder: Path, count: int, seed: int) -> Tables:
    """Draws items and writes the tables of items and interactions without them, and one of them alone.

    Drawn are items that have attributes and, in the column of the longest texts, several sentences. One of
    these is withheld from everything that is ever said of the item, since queries quote it: nobody can find
    it by looking up the quotation.

    Args:
      config: of the model, with the whole tables.
      folder: where tables go; the same config and seed write the same.
      count: how many items are held out.
      seed: of the draw.

    Raises:
      InputError: the tables cannot be read, or too few items can be held out.
    """
    plan = make_plan(config.data, config.base)
    if plan.items is None or config.data.items is None:
        raise InputError("data.items: missing; queries are made of what is said of items")
    items = read_items(plan.items)
    column = longest_text(plan.items, items)
    held = _draw(items, column, count, seed)
    names = {each.item.name for each in held}
    folder.mkdir(parents=True, exist_ok=True)
    places = {name: folder.resolve() / f"{name}.jsonl" for name in ("items", "interactions", "new")}
    _write(places["items"], (item.cells for item in items.values() if item.name not in names))
    _write(places["new"], (each.item.cells for each in held))
    item_place = list(plan.interactions.columns).index("item_id")
    _write(
        places["interactions"],
        (
            dict(zip(plan.interactions.columns, cells, strict=True))
            for cells in read_rows(plan.interactions)
            if cells[item_place].strip(WHITESPACE) not in names
        ),
    )
    # What is written here was read already: under the config's names, and without HTML entities.
    data = config.data.model_copy(
        update={
            "items": _moved(config.data.items, places["items"], _plain),
            "interactions": _moved(config.data.interactions, places["interactions"], _renamed),
        }
    )
    known = items | {each.item.name: each.item for each in held}
    return Tables(replace(config, data=data), known, tuple(held), places["new"])


def _draw(items: Mapping[str, Item], column: str, count: int, seed: int) -> list[HeldOut]:
    able = [item for item in items.values() if item.values and _quotable(item.cells[column])]
    if len(able) < LEAST_CANDIDATES * count:
        raise InputError(
            f"--held-out {count}: {len(able):,} items have attributes and several sentences in {column!r}, "
            f"one of at least {SHORTEST_QUOTED} words; at most {len(able) // LEAST_CANDIDATES:,} can be "
            "held out"
        )
    generator = random.Random(seed)
    return [_withhold(item, column, generator) for item in generator.sample(able, count)]


def _quotable(text: str) -> list[str]:
    """The sentences that can be withheld, each of which leaves something of the text."""
    found = sentences(text)
    long = [sentence for sentence in found if len(quoted_words(sentence)) >= SHORTEST_QUOTED]
    return long if len(set(found)) > 1 else []


def _withhold(item: Item, column: str, generator: random.Random) -> HeldOut:
    text = item.cells[column]
    sentence = generator.choice(_quotable(text))
    rest = " ".join(other for other in sentences(text) if other != sentence)
    return HeldOut(replace(item, cells=item.cells | {column: rest}), tuple(quoted_words(sentence)))


def _write(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    scratch = path.with_suffix(".part")
    with scratch.open("w", encoding="utf-8") as table:
        table.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    scratch.replace(path)


def _moved(
    table: Entities | Interactions, path: Path, as_written: Callable[[Column], Column]
) -> Entities | Interactions:
    columns = {name: as_written(column) for name, column in table.columns.items()}
    place = {"path": str(path), "format": "jsonl", "encoding": "utf-8", "header": None}
    return table.model_copy(update=place | {"columns": columns})


def _renamed(column: Column) -> Column:
    return column.model_copy(update={"source": None})


def _plain(column: Column) -> Column:
    changes = {"unescape_html": False} if isinstance(column, TextColumn) else {}
    return _renamed(column).model_copy(update=changes)
