"""Cells are checked by the kind of their column."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.columns import MultiColumn, TimeColumn, VectorColumn
from preprocessing.config import Entities, Interactions
from preprocessing.interactions import InteractionCheck
from preprocessing.rows import (
    RowError,
    check_entity,
    finite_number,
    id_cell,
    label_cell,
    multi_cell,
    time_cell,
    vector_cell,
)
from preprocessing.schema import parse
from preprocessing.sources import Source


def reason(function: Any, *arguments: Any) -> str:
    with pytest.raises(RowError) as error:
        function(*arguments)
    return error.value.reason


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("abc", "rating: 'abc' is not a number"),
        ("nan", "rating: NaN is not allowed"),
        ("NaN", "rating: NaN is not allowed"),
        ("-inf", "rating: '-inf' is not a finite number"),
        ("1e39", "rating: '1e39' is not a finite number"),
        ("1_000", "rating: '1_000' is not a number"),
        ("3,5", "rating: '3,5' is not a number"),
        ("", "rating is empty"),
        ("  ", "rating is empty"),
        ("x" * 1000, f"rating: '{'x' * 59}…' is not a number"),
    ],
)
def test_labels_that_are_rejected(cell: str, expected: str) -> None:
    assert reason(label_cell, "rating", cell) == expected


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_finite_numbers(value: float) -> None:
    assert finite_number("x", repr(value)) == value


def test_ids() -> None:
    assert id_cell("item_id", " a b\t") == "a b"
    assert reason(id_cell, "item_id", " \t") == "item_id is empty"
    assert reason(id_cell, "item_id", "a\nb") == "item_id holds a line break"
    assert reason(id_cell, "item_id", "a\rb") == "item_id holds a line break"


@pytest.mark.parametrize(
    ("unit", "cell", "expected"),
    [
        ("s", "881250949", 881250949000),
        ("s", "881250949.5", 881250949500),
        ("s", "-1", -1000),
        ("ms", "881250949123", 881250949123),
        ("iso", "1997-12-04", 881193600000),
        ("iso", "1997-12-04T15:55:49Z", 881250949000),
        ("iso", "1997-12-04 17:55:49.250+02:00", 881250949250),
    ],
)
def test_times(unit: Any, cell: str, expected: int) -> None:
    assert time_cell("time", TimeColumn(kind="time", unit=unit), cell) == expected


@pytest.mark.parametrize(
    ("unit", "cell", "expected"),
    [
        ("s", "", "time is empty"),
        ("s", "1997-12-04", "time: '1997-12-04' is not a number"),
        ("s", "nan", "time: NaN is not allowed"),
        ("s", "inf", "time: 'inf' lies beyond the year 9999; is it in milliseconds (unit: ms)?"),
        (
            "s",
            "881250949000",
            "time: '881250949000' lies beyond the year 9999; is it in milliseconds (unit: ms)?",
        ),
        ("ms", "1e300", "time: '1e300' lies beyond the year 9999"),
        ("iso", "4 Dec 1997", "time: '4 Dec 1997' is not an ISO 8601 date"),
    ],
)
def test_times_that_are_rejected(unit: Any, cell: str, expected: str) -> None:
    assert reason(time_cell, "time", TimeColumn(kind="time", unit=unit), cell) == expected


def test_vectors() -> None:
    column = VectorColumn(kind="vector", length=2)
    assert vector_cell("image", column, "1, -2.5") == [1.0, -2.5]
    assert vector_cell("image", column, " ") == []
    assert reason(vector_cell, "image", column, "1") == "image: 1 numbers, 2 are needed"
    assert reason(vector_cell, "image", column, "1 nan") == "image: NaN is not allowed"


def test_several_values_of_a_cell() -> None:
    assert multi_cell(MultiColumn(kind="multi"), " a |b||a ") == ["a", "b", "a"]
    assert multi_cell(MultiColumn(kind="multi"), "") == []


def entity_source(columns: dict[str, Any]) -> Source:
    table = parse(Entities, {"path": "items.csv", "columns": {"item_id": {"kind": "id"}, **columns}}, "items")
    return Source("items", table, table.columns, ())


def test_entities_are_stripped_and_checked() -> None:
    source = entity_source(
        {
            "title": {"kind": "text", "unescape_html": True},
            "price": {"kind": "numeric"},
            "genre": {"kind": "categorical"},
        }
    )
    assert check_entity(source, [" 1 ", " Tom &amp; Jerry ", "", " a "]) == ["1", "Tom & Jerry", "", "a"]
    assert check_entity(source, ["1", "two\nlines", "3.5", ""]) == ["1", "two\nlines", "3.5", ""]
    assert reason(check_entity, source, ["1", "a", "cheap", "b"]) == "price: 'cheap' is not a number"
    assert reason(check_entity, source, ["1", "a", "1", "b\nc"]) == "genre holds a line break"


def test_interactions_without_time_and_label() -> None:
    columns = {"item_id": {"kind": "id"}, "user_id": {"kind": "id"}}
    table = parse(Interactions, {"path": "a.csv", "columns": columns}, "interactions")
    source = Source("interactions", table, table.columns, ())
    check = InteractionCheck(source.columns)
    assert check(["i", "u"]) == ("u", "i", 0, 0.0, ())
    assert reason(check, ["", "u"]) == "item_id is empty"
