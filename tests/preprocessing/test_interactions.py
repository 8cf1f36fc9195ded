"""Interactions that are checked many at a time come out as one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.config import Interactions
from preprocessing.interactions import InteractionCheck, InteractionColumns
from preprocessing.rows import RowError
from preprocessing.schema import parse

IDS = st.sampled_from(["a", " b\t", "红", "", "two\nlines"])
NUMBERS = st.sampled_from(
    ["1", " 2.5 ", "-0", "1_0", "nan", "inf", "1e39", "", "bad", "0.0005", "1.0015", "253402300800", "\xa05"]
) | st.floats(-1e12, 1e12).map(repr)


def check_of(unit: str = "s") -> InteractionCheck:
    columns = {
        "rating": {"kind": "label"},
        "user_id": {"kind": "id"},
        "time": {"kind": "time", "unit": unit},
        "item_id": {"kind": "id"},
        "review": {"kind": "text"},
    }
    return InteractionCheck(parse(Interactions, {"path": "a.csv", "columns": columns}, "data").columns)


def one_by_one(check: InteractionCheck, rows: list[list[str]]) -> list[Any]:
    found: list[Any] = []
    for row in rows:
        try:
            found.append(check(row))
        except RowError as error:
            found.append((error.reason, error.kind))
    return found


def many(check: InteractionCheck, rows: list[list[str]]) -> list[Any]:
    """Checks rows together; one by one if they are odd."""
    columns = check.columns(list(zip(*rows, strict=True)))
    return one_by_one(check, rows) if columns is None else list(zip(*columns, strict=True))


@pytest.mark.parametrize("unit", ["s", "ms", "iso"])
@given(
    st.lists(
        st.tuples(NUMBERS, IDS, NUMBERS, IDS, st.sampled_from(["", " good ", "a\nb"])), min_size=1, max_size=6
    )
)
def test_the_same_as_one_by_one(unit: str, rows: list[tuple[str, ...]]) -> None:
    check, cells = check_of(unit), [list(row) for row in rows]
    assert many(check, cells) == one_by_one(check, cells)


def test_plain_rows_are_checked_together_and_odd_ones_are_not() -> None:
    rows = [[f"{row % 5}", f"u{row}", f"{row}.5", f"i{row}", "text"] for row in range(1000)]
    check = check_of()
    columns = check.columns(list(zip(*rows, strict=True)))
    assert columns is not None
    assert [column[301] for column in columns] == ["u301", "i301", 301500, 1.0, ("text",)]
    assert InteractionColumns.of([check(row) for row in rows]) == columns
    rows[300][0] = "?"
    assert check.columns(list(zip(*rows, strict=True))) is None
    assert one_by_one(check, rows)[300] == ("rating: '?' is not a number", "rating: not a number")
