"""Columns of ids in which each distinct one is held once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.ids import Ids

values = st.lists(st.text("ab红", max_size=2), max_size=12)


@given(values)
def test_a_column_gives_back_its_rows(values: list[str]) -> None:
    ids = Ids.of(values)
    assert list(ids) == ids.tolist() == values
    assert ids.names.tolist() == sorted(set(values))
    assert len(ids) == len(values)


@given(st.lists(values, max_size=4))
def test_columns_are_put_one_after_the_other(columns: list[list[str]]) -> None:
    joined = Ids.joined([Ids.of(column) for column in columns])
    together = [value for column in columns for value in column]
    assert joined.tolist() == together
    assert joined.names.tolist() == sorted(set(together))


@given(values, st.data())
def test_rows_that_are_left_out_leave_no_names_when_compacted(values: list[str], data: st.DataObject) -> None:
    stays = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), bool)
    chosen = Ids.of(values)[stays].compacted()
    expected = [value for value, stay in zip(values, stays, strict=True) if stay]
    assert chosen.tolist() == expected
    assert chosen.names.tolist() == sorted(set(expected))
    assert chosen.compacted() is chosen


@given(values)
def test_a_function_is_called_once_a_name(values: list[str]) -> None:
    called: list[str] = []
    lengths = Ids.of(values).mapped(lambda name: called.append(name) or len(name))
    assert lengths.tolist() == [len(value) for value in values]
    assert called == sorted(set(values))


def test_counts_know_who_was_left_out() -> None:
    ids = Ids.of(["b", "a", "b", "c"])
    assert ids.counts(np.array([True, False, True, False])) == {"a": 0, "b": 2, "c": 0}
