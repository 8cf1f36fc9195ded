"""The whole pipeline against a plain program that does the same row by row."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from typing import Any

import pytest

Row = tuple[str, str, float, int]


class Reference:
    """Filters, splits and indexes (user, item, label, time) rows that stand in several files."""

    def __init__(
        self,
        rows: list[Row],
        files: list[int],
        split: dict[str, Any],
        filters: dict[str, Any] | None = None,
        window: int = 1000,
    ):
        filters = filters or {}
        places = [(file, line + 2) for file, size in enumerate(files) for line in range(size)]
        kept = [(*row, place) for row, place in zip(rows, places, strict=True)]
        self.filtered = {}
        if "minimum_label" in filters:
            low = [row for row in kept if row[2] < filters["minimum_label"]]
            kept = [row for row in kept if row not in low]
            self.filtered["minimum_label"] = len(low)
        if "k_core" in filters:
            before = len(kept)
            kept = _core(kept, filters["k_core"])
            self.filtered["k_core"] = before - len(kept)
        self.filtered = {rule: rows for rule, rows in sorted(self.filtered.items()) if rows}
        kept.sort(key=lambda row: (row[3], row[4]))
        part_of = _parts(kept, split)
        self.counts = Counter({row[1]: 0 for row in kept})
        self.counts.update(row[1] for row in kept if part_of[row] == 0)
        self.items = sorted(self.counts, key=lambda item: (-self.counts[item], item))
        trained = Counter({row[0]: 0 for row in kept})
        trained.update(row[0] for row in kept if part_of[row] == 0)
        self.users = sorted(trained, key=lambda user: (-trained[user], user))
        self.histories: dict[str, list[str]] = {}
        self.parts: list[dict[str, list[str]]] = [{}, {}, {}]
        for row in kept:
            self.histories.setdefault(row[0], []).append(row[1])
            self.parts[part_of[row]].setdefault(row[0], []).append(row[1])
        self.before = [
            {
                user: [row[1] for row in kept if row[0] == user and part_of[row] < part]
                for user in self.parts[part]
            }
            for part in range(3)
        ]


def _core(rows: list[Any], k: int) -> list[Any]:
    while True:
        users, items = Counter(row[0] for row in rows), Counter(row[1] for row in rows)
        kept = [row for row in rows if users[row[0]] >= k and items[row[1]] >= k]
        if len(kept) == len(rows):
            return kept
        rows = kept


def _parts(rows: list[Any], split: dict[str, Any]) -> dict[Any, int]:
    validation, test = split.get("validation", 0.1), split.get("test", 0.1)
    if split["kind"] == "leave_last":
        parts = {}
        for row in rows:
            own = [other for other in rows if other[0] == row[0]]
            from_end = len(own) - own.index(row)
            parts[row] = 3 - from_end if len(own) >= 3 and from_end <= 2 else 0
        return parts
    if split["kind"] == "temporal":
        times = [row[3] for row in rows]

        def beginning(share: float) -> float:
            wanted = round(share * len(times))
            return times[-wanted] if wanted else math.inf

        begins = beginning(validation + test), beginning(test)
        return {row: sum(row[3] >= moment for moment in begins) for row in rows}
    parts = {}
    for row in rows:
        file, line = row[4]
        key = repr((split.get("seed", 0), row[0], row[1], file * 2**40 + line))
        draw = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little") / 2**64
        parts[row] = 2 if draw < test else 1 if draw < test + validation else 0
    return parts


def tables_of(seed: int, users: int = 12, items: int = 15, rows: int = 150) -> list[Row]:
    """Random interactions with many ties in time."""
    draw = random.Random(seed)
    return [
        (
            f"u{draw.randrange(users)}",
            f"i{int(draw.triangular(0, items, 0))}",
            float(draw.randint(1, 5)),
            draw.randrange(40),
        )
        for _ in range(rows)
    ]


def written(rows: list[Row]) -> str:
    return "user_id,item_id,rating,time\n" + "".join(
        f"{u},{i},{label},{time}\n" for u, i, label, time in rows
    )


@pytest.mark.parametrize(
    "data",
    [
        {"split": {"kind": "leave_last"}},
        {"split": {"kind": "leave_last"}, "window": 4, "filters": {"minimum_label": 2, "k_core": 5}},
        {"split": {"kind": "temporal", "validation": 0.15, "test": 0.2}},
        {"split": {"kind": "temporal"}, "filters": {"k_core": 9}},
        {"split": {"kind": "random", "validation": 0.2, "test": 0.2, "seed": 3}, "window": 5},
    ],
)
def test_the_pipeline_gives_what_a_plain_program_gives(project: Any, data: dict[str, Any]) -> None:
    rows = tables_of(seed=7)
    project.write("part-1.csv", written(rows[:80]))
    project.write("part-2.csv", written(rows[80:]))
    examples = project.preprocess({"path": "part-*.csv"}, **data)
    expected = Reference(rows, files=[80, 70], **data)
    assert examples.ids("items")[2:] == expected.items
    assert examples.ids("users")[2:] == expected.users
    assert examples.sequences("users", "history") == expected.histories
    for number, part in enumerate(("train", "validation", "test")):
        assert examples.sequences(part) == expected.parts[number]
        if part != "train":
            assert examples.sequences(part, "history") == expected.before[number]
    assert examples.statistics["tables"]["interactions"]["filtered_by_rule"] == expected.filtered
    assert examples.schema.items.first_unseen == 2 + sum(count > 0 for count in expected.counts.values())
    windows = [(row["user"], row["start"], len(row["item"])) for row in examples.part("train")]
    assert windows == sorted(windows)
    assert max(length for _, _, length in windows) <= data.get("window", 1000)
