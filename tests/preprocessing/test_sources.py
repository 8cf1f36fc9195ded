"""Tables are found, checked and read as raw records; nothing is lost on the way."""

from __future__ import annotations

import gzip
import io
import math
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystem import FileMetadata, FileSystem, MatchResult
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.columns import MultiColumn, TextColumn
from preprocessing.config import Entities
from preprocessing.rows import RowError, RowReader
from preprocessing.schema import InputError, parse
from preprocessing.sources import Source, find_ranges, find_source, read_records

COLUMNS = {"item_id": {"kind": "id"}, "title": {"kind": "text"}}


def source_of(
    folder: Path, path: str = "items.csv", columns: dict[str, Any] = COLUMNS, **table: Any
) -> Source:
    entities = parse(Entities, {"path": path, "columns": columns, **table}, "items")
    return find_source("items", entities, entities.columns, folder)


def write(folder: Path, content: str | bytes, name: str = "items.csv") -> None:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def rows_of(source: Source) -> list[Any]:
    """Each row as (line, cells), or (line, reason) for one that is rejected."""
    rows: list[Any] = []
    for file in source.files:
        reader = RowReader(source, file)
        for record in read_records(source, file):
            try:
                rows.append((record.line, reader.cells(record)))
            except RowError as error:
                rows.append((record.line, error.reason))
    return rows


def read(folder: Path, content: str | bytes, **table: Any) -> list[Any]:
    write(folder, content)
    return rows_of(source_of(folder, **table))


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = 'item_id,title\n1,"a, ""b""\nc\n\nd"\n2,e\n'
    assert read(tmp_path, content) == [(2, ["1", 'a, "b"\nc\n\nd']), (6, ["2", "e"])]


@pytest.mark.parametrize("rest", ["", "3,c\n", '3,"c"\n', '3,"c, d"\n4,"e"\n'])
def test_a_quote_that_is_never_closed_costs_its_line_alone(tmp_path: Path, rest: str) -> None:
    rows = read(tmp_path, 'item_id,title\n1,"a\n2,b\n' + rest)
    assert rows[0] == (2, "a quote is opened and never closed")
    assert rows[1] == (3, ["2", "b"])
    assert len(rows) == 2 + rest.count("\n")
    assert all(isinstance(cells, list) for _, cells in rows[1:])


def test_two_quotes_that_are_never_closed_cost_two_lines(tmp_path: Path) -> None:
    rows = read(tmp_path, 'item_id,title\n1,"a\n2,b\n3,"c\n4,d\n')
    assert [line for line, cells in rows if isinstance(cells, str)] == [2, 4]
    assert [cells for _, cells in rows if isinstance(cells, list)] == [["2", "b"], ["4", "d"]]


def test_a_quote_is_followed_no_further_than_one_cell_can_reach(tmp_path: Path) -> None:
    lines = "".join(f"{number},{'x' * 90}\n" for number in range(2, 5000))
    rows = read(tmp_path, f'item_id,title\n1,"a\n{lines}')
    assert len(rows) == 4999
    assert [line for line, cells in rows if isinstance(cells, str)] == [2]


def test_a_quote_inside_a_cell_is_a_character(tmp_path: Path) -> None:
    assert read(tmp_path, 'item_id,title\n1,5" pipe\n') == [(2, ["1", '5" pipe'])]


def test_quoting_can_be_off(tmp_path: Path) -> None:
    assert read(tmp_path, 'item_id,title\n1,"a\n2,b\n', quote=None) == [(2, ["1", '"a']), (3, ["2", "b"])]


def test_too_many_and_too_few_cells_are_rejected(tmp_path: Path) -> None:
    rows = read(tmp_path, "item_id,title\n1\n2,a,b\n3,c\n")
    assert rows == [(2, "1 cells, the header has 2"), (3, "3 cells, the header has 2"), (4, ["3", "c"])]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "\nitem_id,title\n\n1,a\n  \n\n2,b") == [(4, ["1", "a"]), (7, ["2", "b"])]


def test_a_line_of_delimiters_is_a_row(tmp_path: Path) -> None:
    assert read(tmp_path, "item_id\ttitle\n\t\n", delimiter="\t") == [(2, ["", ""])]


def test_a_line_in_another_encoding_is_rejected_alone(tmp_path: Path) -> None:
    rows = read(tmp_path, b"item_id,title\n1,caf\xe9\n2,b\n")
    assert rows == [
        (2, "byte 0xe9 at position 6 is not utf-8; check `encoding:` of this table"),
        (3, ["2", "b"]),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    content = "item_id,title\r\n1,café\r\n2,b\r\n".encode(encoding)
    assert read(tmp_path, content, encoding=encoding) == [(2, ["1", "café"]), (3, ["2", "b"])]


def test_chinese_encoding(tmp_path: Path) -> None:
    assert read(tmp_path, "item_id,title\n1,红楼梦\n".encode("gb18030"), encoding="gb18030") == [
        (2, ["1", "红楼梦"])
    ]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffitem_id,title\n1,a\n") == [(2, ["1", "a"])]


def test_a_table_without_header_line(tmp_path: Path) -> None:
    assert read(tmp_path, "x,a,1\n", header=["-", "title", "item_id"]) == [(1, ["1", "a"])]


def test_gzip(tmp_path: Path) -> None:
    write(tmp_path, gzip.compress(b"item_id\ttitle\n1\ta\n"), "items.tsv.gz")
    assert rows_of(source_of(tmp_path, "items.tsv.gz")) == [(2, ["1", "a"])]


def test_a_cut_gzip_file_is_no_shorter_table(tmp_path: Path) -> None:
    whole = gzip.compress(b"item_id,title\n" + b"".join(b"%d,title %d\n" % (n, n * n) for n in range(90_000)))
    write(tmp_path, whole[: len(whole) // 2], "items.csv.gz")
    source = source_of(tmp_path, "items.csv.gz")
    with pytest.raises(InputError, match=r"items\.csv\.gz: cannot be read on after row \d+"):
        list(read_records(source, source.files[0]))


def test_a_pattern_takes_all_files_by_name(tmp_path: Path) -> None:
    for number in (2, 1):
        write(tmp_path, f"item_id,title\n{number},a\n", f"part-{number}.csv")
    write(tmp_path, "", "part-3.csv")
    source = source_of(tmp_path, "./part-*.csv")
    assert [file.name for file in source.files] == ["./part-1.csv", "./part-2.csv"]
    assert [cells[0] for _, cells in rows_of(source)] == ["1", "2"]


def test_columns_of_each_file_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path, "item_id,title\n1,a\n", "part-1.csv")
    write(tmp_path, "title,other,item_id\nb,,2\n", "part-2.csv")
    assert rows_of(source_of(tmp_path, "part-*.csv")) == [(2, ["1", "a"]), (2, ["2", "b"])]


def test_a_name_with_brackets_is_no_pattern_when_the_file_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]"
    folder.mkdir()
    write(folder, "item_id,title\n1,a\n", "items[1].csv")
    write(folder, "item_id,title\n2,b\n", "x.csv")
    assert rows_of(source_of(folder, "items[1].csv")) == [(2, ["1", "a"])]
    assert rows_of(source_of(folder, "x*.csv")) == [(2, ["2", "b"])]


def test_jsonl(tmp_path: Path) -> None:
    columns = COLUMNS | {"tags": {"kind": "multi"}, "image": {"kind": "vector", "length": 2}}
    content = (
        '{"item_id": 7, "title": "a", "tags": ["x", "y"], "image": [1, 2.5]}\n'
        '{"item_id": 8.0, "title": null, "more": 1}\n'
        "{\n"
        "[1]\n"
        '{"item_id": "9", "title": {"en": "a"}}\n'
        '{"item_id": "\\ud800"}\n' + "[" * 100_000 + "\n"
    )
    write(tmp_path, content, "items.jsonl")
    rows = rows_of(source_of(tmp_path, "items.jsonl", columns))
    assert rows[:2] == [(1, ["7", "a", "x|y", "1 2.5"]), (2, ["8", "", "", ""])]
    assert [line for line, _ in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[2][1].startswith("not valid JSON")
    assert rows[3][1] == "a JSON object is needed, found list"
    assert rows[4][1] == "title holds an object"
    assert rows[5][1].startswith("item_id holds half of a surrogate pair")
    assert rows[6][1].startswith("not valid JSON")


def test_nan_in_jsonl_is_an_empty_cell_and_no_text(tmp_path: Path) -> None:
    columns = COLUMNS | {"price": {"kind": "numeric"}, "image": {"kind": "vector", "length": 2}}
    content = (
        '{"item_id": NaN, "title": NaN, "price": NaN, "image": NaN}\n{"item_id": 2, "image": [1, NaN]}\n'
    )
    write(tmp_path, content, "items.jsonl")
    rows = rows_of(source_of(tmp_path, "items.jsonl", columns))
    assert rows == [(1, ["", "", "", ""]), (2, ["2", "", "", "1 nan"])]


def test_parquet(tmp_path: Path) -> None:
    when = pa.array([1_500_000_000_123_456_789, None], pa.timestamp("ns"))
    ids = pa.array([1.0, 2.0])
    table = pa.table({"id": ids, "title": ["a", None], "when": when, "tags": [["x"], []], "unused": [1, 2]})
    pq.write_table(table, tmp_path / "items.parquet")
    columns = {
        "item_id": {"kind": "id", "source": "id"},
        "title": {"kind": "text"},
        "when": {"kind": "text"},
        "tags": {"kind": "multi"},
    }
    rows = rows_of(source_of(tmp_path, "items.parquet", columns))
    assert rows == [(1, ["1", "a", "2017-07-14T02:40:00.123456", "x"]), (2, ["2", "", "", ""])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (
            "item,titel\n1,a\n",
            "no column 'item_id' (did you mean 'item'?); no column 'title' (did you mean 'titel'?); "
            "the columns are: 'item', 'titel'",
        ),
        ("item_id\ttitle\n1\ta\n", "is `delimiter:` right?"),
        ("item_id,title,title\n1,a,b\n", "the column 'title' stands in the header 2 times"),
        (
            b"item_id,titl\xe9\n",
            "line 1 (the header): byte 0xe9 at position 13 is not utf-8; check `encoding:`",
        ),
        ('item_id,"title\n', "line 1 (the header): unexpected end of data"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, content: str | bytes, message: str) -> None:
    write(tmp_path, content)
    with pytest.raises(InputError) as error:
        source_of(tmp_path)
    assert message in str(error.value)
    assert str(error.value).startswith("items: items.csv: ")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^items: nowhere\.csv: no such file$"):
        source_of(tmp_path, "nowhere.csv")
    with pytest.raises(InputError, match=r"^items: x-\*\.csv: the pattern matches no file$"):
        source_of(tmp_path, "x-*.csv")
    with pytest.raises(InputError, match="this is a folder"):
        source_of(tmp_path, ".", format="csv")
    with pytest.raises(InputError, match=r"^items: asset://nothing/x\.csv: "):
        source_of(tmp_path, "asset://nothing/x.csv")


class Faulty(FileSystem):
    """A remote file system whose client fails in its own way at one of what it is asked."""

    fails = ""
    options: Any = None

    def __init__(self, pipeline_options: Any) -> None:
        super().__init__(pipeline_options)
        Faulty.options = pipeline_options

    @classmethod
    def scheme(cls) -> str:
        return "faulty"

    def _asked(self, what: str) -> None:
        if what == self.fails:
            raise RuntimeError(f"nobody\nanswered to {what}")

    def exists(self, path: str) -> bool:
        self._asked("exists")
        return True

    def match(self, patterns: list[str], limits: Any = None) -> list[MatchResult]:
        self._asked("match")
        return [MatchResult(pattern, [FileMetadata(pattern, 20)]) for pattern in patterns]

    def open(self, path: str, mime_type: str = "", compression_type: Any = None) -> io.BytesIO:
        self._asked("open")
        return io.BytesIO(b"item_id,title\n1,a\n")

    mkdirs = has_dirs = _list = create = copy = rename = last_updated = checksum = metadata = None
    join = split = size = delete = None


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("exists", "items: faulty://b/x.csv: cannot be opened: nobody answered to exists"),
        ("match", "items: faulty://b/x.csv: cannot be opened: nobody answered to match"),
        ("open", "items: faulty://b/x.csv: cannot be read: nobody answered to open"),
    ],
)
def test_whatever_a_remote_file_system_raises_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, said: str
) -> None:
    monkeypatch.setattr(Faulty, "fails", fails)
    with pytest.raises(InputError) as error:
        source_of(tmp_path, "faulty://b/x.csv")
    assert str(error.value) == said


def test_a_remote_file_system_may_fail_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, "faulty://b/x.csv")
    assert rows_of(source) == [(2, ["1", "a"])]
    assert Faulty.options is not None
    monkeypatch.setattr(Faulty, "fails", "open")
    with pytest.raises(InputError, match=r"^items: faulty://b/x\.csv: cannot be read on after row 0: nobody"):
        list(read_records(source, source.files[0]))
    with pytest.raises(InputError, match=r"^items: faulty://b/x\.csv: cannot be read: nobody"):
        list(find_ranges(source, source.files[0]))


@pytest.mark.parametrize(("scheme", "module", "extra"), [("s3", "boto3", "aws"), ("hdfs", "hdfs", "hadoop")])
def test_a_missing_extra_of_beam_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks what cannot be imported
    with pytest.raises(InputError) as error:
        source_of(tmp_path, f"{scheme}://b/x.csv")
    assert str(error.value) == (
        f"items: {scheme}://b/x.csv: cannot be opened: {scheme}:// needs {module}; "
        f"`pip install 'apache-beam[{extra}]'` brings it"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_is_needed_where_nothing_else_tells(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, "item_id,title\n1,a\n".encode(f"{encoding}-le"))
    with pytest.raises(
        InputError, match=rf"^items: items\.csv: no byte order mark.*`encoding:`.*{encoding}-le"
    ):
        source_of(tmp_path, encoding=encoding)


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_bad_parquet(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, content, "items.parquet")
    with pytest.raises(InputError, match=r"items: items\.parquet: .*parquet"):
        source_of(tmp_path, "items.parquet")


def test_a_parquet_file_that_lacks_a_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": [1]}), tmp_path / "items.parquet")
    with pytest.raises(InputError, match="no column 'title'; the columns are: 'item_id'"):
        source_of(tmp_path, "items.parquet")


def test_a_jsonl_file_that_lacks_a_column(tmp_path: Path) -> None:
    write(tmp_path, '{"item_id": 1}\n', "items.jsonl")
    with pytest.raises(
        InputError, match="no column 'title'; the columns in its first 1000 rows are: 'item_id'"
    ):
        source_of(tmp_path, "items.jsonl")


@given(
    st.lists(
        st.tuples(st.text(alphabet='a", \n\r', max_size=6), st.text(alphabet='b",\n', max_size=6)), max_size=8
    )
)
def test_whatever_the_csv_module_writes_is_read_back(
    tmp_path_factory: Any, rows: list[tuple[str, str]]
) -> None:
    import csv

    folder = tmp_path_factory.mktemp("csv")
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("item_id", "title"), *rows])
    write(folder, text.getvalue())
    # Line ends inside a cell are all read as \n.
    expected = [[cell.replace("\r\n", "\n") for cell in row] for row in rows]
    assert [cells for _, cells in rows_of(source_of(folder))] == expected


@given(st.lists(st.text(alphabet='a",\té\n', max_size=12), max_size=10))
def test_every_line_is_in_exactly_one_record(tmp_path_factory: Any, lines: list[str]) -> None:
    folder = tmp_path_factory.mktemp("csv")
    content = "item_id,title\n" + "\n".join(lines)
    write(folder, content)
    source = source_of(folder)
    records = list(read_records(source, source.files[0]))
    joined = [line for record in records for line in record.raw.split("\n")]
    assert [line for line in joined if line.strip(" ")] == [
        line for line in content.split("\n")[1:] if line.strip(" ")
    ]
    assert [record.line for record in records] == sorted({record.line for record in records})


def test_columns_are_typed_for_lists() -> None:
    from preprocessing.rows import json_cell

    assert json_cell("tags", MultiColumn(kind="multi", separator=";"), ["a", 1, True]) == "a;1;true"
    assert json_cell("tags", MultiColumn(kind="multi", separator=";"), ["a", math.nan]) == "a;"
    with pytest.raises(RowError, match="title holds a list"):
        json_cell("title", TextColumn(kind="text"), ["a"])
