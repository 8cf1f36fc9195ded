"""statistics.json: what was read, kept and left out, and what the data set looks like."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preprocessing.schema import RESERVED, STATISTICS_FILE, InputError

MOST_REASONS = 3
TABLES = ("interactions", "items", "users", "triples", "links")


def table_statistics(
    counts: Sequence[Sequence[Any]], rejections: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Adds up the rows of each table.

    Args:
      counts: (table, read | kept | filtered | …, rule, rows).
      rejections: what `write_quarantine` gave.

    Raises:
      RuntimeError: `read = kept + quarantined + filtered` does not hold, so that rows got lost.
    """
    totals: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for table, what, name, rows in counts:
        totals[table, what][name] += rows
    statistics = {}
    for table in [name for name in TABLES if (name, "read") in totals]:
        read, kept = totals[table, "read"][""], totals[table, "kept"][""]
        filtered = {rule: rows for rule, rows in sorted(totals[table, "filtered"].items()) if rows}
        quarantined = {row["kind"]: row["rows"] for row in rejections if row["table"] == table}
        statistics[table] = {
            "read": read,
            "kept": kept,
            "quarantined": sum(quarantined.values()),
            "filtered": sum(filtered.values()),
            "quarantined_by_reason": quarantined,
            "filtered_by_rule": filtered,
        }
        if read != kept + sum(quarantined.values()) + sum(filtered.values()):
            raise RuntimeError(f"{table}: rows got lost, which is a bug of Tandem: {statistics[table]}")
    return statistics


def check_rejected(
    tables: Mapping[str, Mapping[str, Any]],
    rejections: Sequence[Mapping[str, Any]],
    maximum: float,
    quarantine: Path,
) -> None:
    """Refuses tables of which too many rows were quarantined.

    Raises:
      InputError: with the share, the most frequent reasons, and where the rejected rows are.
    """
    problems = []
    for table, rows in tables.items():
        share = rows["quarantined"] / rows["read"] if rows["read"] else 0.0
        if share <= maximum:
            continue
        found = sorted(
            (row for row in rejections if row["table"] == table), key=lambda row: (-row["rows"], row["kind"])
        )
        reasons = "".join(
            f"\n  {row['rows']:,} rows: {row['kind']}; the first is {row['example']}"
            for row in found[:MOST_REASONS]
        )
        problems.append(
            f"{table}: {rows['quarantined']:,} of {rows['read']:,} rows ({share:.1%}) cannot be used, "
            f"maximum_rejected allows {maximum:.1%}; most frequent:{reasons}"
        )
    if problems:
        raise InputError("\n".join(problems) + f"\nthe rejected rows are in {quarantine}")


def check_training(tables: Mapping[str, Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """Refuses a data set without any interaction to train on.

    Raises:
      InputError: with what became of the interactions that were read.
    """
    train, validation, test = facts["interactions"]
    if train:
        return
    raise InputError(
        f"interactions: none is left to train on: {_left_out(tables['interactions'])}, "
        f"{validation:,} held out for validation and {test:,} for the test"
    )


def check_knowledge(tables: Mapping[str, Mapping[str, Any]], entities: int, minimum_items: int) -> None:
    """Refuses knowledge that says nothing, because then the config is more likely wrong than the tables.

    Raises:
      InputError: with what became of the triples and links that were read.
    """
    if entities:
        return
    found = "; ".join(f"{name}: {_left_out(tables[name])}" for name in ("triples", "links") if name in tables)
    raise InputError(
        f"knowledge: no entity neighbours {minimum_items} items, the least that minimum_items allows: {found}"
    )


def _left_out(rows: Mapping[str, Any]) -> str:
    filtered = ", ".join(f"{count:,} filtered by {rule}" for rule, count in rows["filtered_by_rule"].items())
    return f"{rows['read']:,} rows read, {rows['quarantined']:,} quarantined, {filtered or '0 filtered'}"


def dataset_statistics(
    tables: Mapping[str, Any], summary: Mapping[str, Any], has_time: bool, has_label: bool
) -> dict[str, Any]:
    """Puts together what statistics.json holds."""
    facts, users, items = summary["facts"], summary["users"], summary["items"]
    train, validation, test = facts["interactions"]
    total = train + validation + test
    pairs = users["size"] * items["size"]
    lengths = np.array([int(length) for length in facts["lengths"]])
    counts = np.array(list(facts["lengths"].values()))
    return {
        "tables": tables,
        "items": items["size"],
        "unseen_items": items["size"] + RESERVED - items["first_unseen"],
        "users": users["size"],
        "unseen_users": users["size"] + RESERVED - users["first_unseen"],
        "filled": {table: _filled(summary["counts"], table) for table in ("items", "users")},
        "users_without_row": sum(rows for _, what, _, rows in summary["counts"] if what == "without_row"),
        "interactions": {"train": train, "validation": validation, "test": test},
        "density": total / pairs if pairs else 0.0,
        "time": dict(zip(("first", "last"), facts["time_range"], strict=True)) if has_time else None,
        "label": _label_statistics(facts) if has_label else None,
        "history_length": _quantiles(np.repeat(lengths, counts)),
    }


def _filled(counts: Sequence[Sequence[Any]], table: str) -> dict[str, int]:
    """How many items or users have something in each column."""
    total: Counter[str] = Counter()
    for counted, what, column, rows in counts:
        if (counted, what) == (table, "filled"):
            total[column] += rows
    return dict(total)


def _label_statistics(facts: Mapping[str, Any]) -> dict[str, Any]:
    minimum, maximum = facts["label_range"]
    return {"minimum": minimum, "maximum": maximum, "histogram": facts["labels"]}


def _quantiles(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    quantiles = np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0], method="inverted_cdf")
    names = ("minimum", "quarter", "median", "three_quarters", "maximum")
    return {"mean": float(values.sum() / len(values)), **dict(zip(names, quantiles.tolist(), strict=True))}


def write_statistics(folder: Path, statistics: Mapping[str, Any]) -> None:
    """Writes statistics.json, keys in a fixed order."""
    text = json.dumps(statistics, indent=1, ensure_ascii=False)
    (folder / STATISTICS_FILE).write_text(text + "\n", encoding="utf-8")
