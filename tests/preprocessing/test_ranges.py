"""A file that is read range by range has the rows of the whole file."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing import ranges
from preprocessing.config import Entities
from preprocessing.ranges import WHOLE
from preprocessing.schema import parse
from preprocessing.sources import Source, find_ranges, find_source, read_records

COLUMNS = {"item_id": {"kind": "id"}, "title": {"kind": "text"}}
TITLES = st.sampled_from(["a", "", "红 film", "long " * 9, "\udcff", "c\r"])
LINES = st.lists(
    st.one_of(TITLES.map("1,{}".format), st.sampled_from(["", "  ", "broken", "\ufeff2,b"])), max_size=9
)
STARTS = st.sampled_from(["", "\ufeff", "\n \n", "\ufeff\n", "\ufeff \n \n"])
QUOTED = st.lists(st.sampled_from(['3,"x, y"', '4,"two', 'lines"', '5,"open', "6,z"]), max_size=5)


def source_of(folder: Path, path: str, **table: Any) -> Source:
    entities = parse(Entities, {"path": path, "columns": COLUMNS, **table}, "items")
    return find_source("items", entities, entities.columns, folder)


def written(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogateescape")


def check(source: Source) -> list[ranges.Range]:
    (file,) = source.files
    with mock.patch.object(ranges, "RANGE_BYTES", 16):
        found = list(find_ranges(source, file))
    rows = [record for part in found for record in read_records(source, file, part)]
    assert rows == list(read_records(source, file))
    return found


@given(LINES, QUOTED, st.sampled_from(["\n", "\r\n"]), st.booleans(), STARTS)
def test_csv(lines: list[str], quoted: list[str], end: str, ends: bool, start: str) -> None:
    content = start + end.join(["item_id,title", *lines, *quoted]) + (end if ends else "")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "items.csv").write_bytes(written(content))
        check(source_of(Path(folder), "items.csv"))


@pytest.mark.parametrize("start", ["\ufeff\n", "\ufeff \n \n"])
def test_the_header_stands_below_a_byte_order_mark_and_blank_lines(tmp_path: Path, start: str) -> None:
    (tmp_path / "items.csv").write_text(f"{start}item_id,title\n1,a\n", encoding="utf-8")
    (part,) = check(source_of(tmp_path, "items.csv"))
    assert part.start == len(f"{start}item_id,title\n".encode())
    assert part.line == start.count("\n") + 2


@given(LINES, QUOTED, st.sampled_from(["", "\ufeff"]))
def test_csv_without_a_header(lines: list[str], quoted: list[str], start: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "items.csv").write_bytes(written(start + "\n".join(["1,first", *lines, *quoted])))
        check(source_of(Path(folder), "items.csv", header=["item_id", "title"]))


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_jsonl_divides_whatever_its_quotes(tmp_path: Path, start: str) -> None:
    content = start + "".join(f'{{"item_id": "{row}", "title": "x"}}\n\n' for row in range(20))
    (tmp_path / "items.jsonl").write_bytes(written(content))
    found = check(source_of(tmp_path, "items.jsonl"))
    assert len(found) > 10
    assert found[-1].end == len(written(content))


def test_lines_are_divided_until_the_first_quote(tmp_path: Path) -> None:
    plain = "".join(f"{row},title\n" for row in range(10))
    (tmp_path / "items.csv").write_text(f'item_id,title\n{plain}10,"x\ny"\n11,z\n')
    found = check(source_of(tmp_path, "items.csv"))
    assert len(found) > 3
    assert [part.end is None for part in found] == [False] * (len(found) - 1) + [True]
    assert found[0] == (14, 38, 2)
    assert len(check(source_of(tmp_path, "items.csv", quote=None))) > len(found)


def test_what_shows_no_lines_is_one_range(tmp_path: Path) -> None:
    content = "item_id,title\n" + "1,a\n" * 20
    (tmp_path / "items.csv.gz").write_bytes(gzip.compress(content.encode()))
    (tmp_path / "wide.csv").write_text(content, encoding="utf-16")
    pq.write_table(pa.table({"item_id": ["1", "2"], "title": ["a", "b"]}), tmp_path / "items.parquet")
    assert check(source_of(tmp_path, "items.csv.gz")) == [WHOLE]
    assert check(source_of(tmp_path, "wide.csv", encoding="utf-16")) == [WHOLE]
    assert check(source_of(tmp_path, "items.parquet")) == [WHOLE]
