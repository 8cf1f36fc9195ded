import json

import pytest

from pipelines.new_items import SHOWN, read_new_items
from preprocessing.schema import Entity, Feature, InputError, Text, TextColumn

ITEMS = Entity(
    id_column="item_id",
    vocabulary="vocabulary-items.txt",
    size=4,
    first_unseen=4,
    display="name",
    text=Text(columns=(TextColumn(name="title"), TextColumn(name="tags", separator="|")), max_tokens=16),
    features=(
        Feature(name="tags", kind="multi", vocabulary="t", size=5, separator="|"),
        Feature(name="brand", kind="categorical", vocabulary="b", size=5),
        Feature(name="price", kind="numeric"),
        Feature(name="image", kind="vector", length=2),
    ),
)


def _read(tmp_path, *lines):
    path = tmp_path / "new.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return read_new_items(path, ITEMS, frozenset({"", "old"}))


def test_rows_become_the_cells_that_the_model_reads(tmp_path):
    items = _read(
        tmp_path,
        json.dumps(
            {
                "item_id": " a ",
                "name": "A",
                "title": " A b ",
                "tags": ["x", "y"],
                "price": 5.0,
                "image": [1, 2],
            }
        ),
        "",
        '{"item_id": 7, "brand": "b"}',
    )
    assert items.ids == ["a", "7"] and items.titles == ["A", "7"]
    assert items.cells == {
        "title": ["A b", ""],
        "tags": ["x|y", ""],
        "brand": ["", "b"],
        "price": ["5", ""],
        "image": ["1 2", ""],
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", "a JSON object is needed, found list"),
        ("[" * 100_000, "not valid JSON"),
        (b'{"item_id": "\xff"}', "is not utf-8"),
        ('{"title": "x"}', "item_id is empty"),
        ('{"item_id": null, "title": "x"}', "item_id is empty"),
        ('{"item_id": "a\\nb", "title": "x"}', "item_id holds a line break"),
        ('{"item_id": "a", "title": "\\ud800"}', "half of a surrogate pair"),
        ('{"item_id": "old", "title": "x"}', "the catalogue already has 'old'"),
        ('{"item_id": "good", "title": "x"}', "'good' stands on a line before"),
        (
            '{"item_id": "a", "titel": "x"}',
            "unknown column 'titel'; the model's columns are: item_id, name",
        ),
        ('{"item_id": "a", "title": {}}', "title holds an object"),
        ('{"item_id": "a", "price": "cheap"}', "price: 'cheap' is not a number"),
        ('{"item_id": "a", "price": NaN}', "nothing is said of 'a'"),
        ('{"item_id": "a", "image": [1]}', "image: 1 numbers, 2 are needed"),
        ('{"item_id": "a", "name": "A"}', "nothing is said of 'a'"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_with_its_line(tmp_path, row, reason):
    with pytest.raises(InputError) as refused:
        _read(tmp_path, '{"item_id": "good", "title": "x"}', row, '{"item_id": "also", "title": "x"}')
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'new.jsonl'}:2: ") and reason in message and "\n" not in message


def test_many_such_rows_are_told_together_and_the_first_one_by_one(tmp_path):
    with pytest.raises(InputError) as refused:
        _read(tmp_path, '{"item_id": "good", "title": "x"}', *["{"] * (SHOWN + 5))
    first, *others, last = str(refused.value).splitlines()
    assert ":2: not valid JSON" in first and len(others) == SHOWN - 1 and last == "5 more rows cannot be used"


@pytest.mark.parametrize("lines", [(), ("", "  ")])
def test_a_file_without_rows_is_refused(tmp_path, lines):
    with pytest.raises(
        InputError, match=r"new\.jsonl: no row; JSON objects are needed.* item_id, name, title"
    ):
        _read(tmp_path, *lines)


def test_what_is_no_file_is_refused(tmp_path):
    for path, reason in ((tmp_path / "nowhere.jsonl", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=f"^{path}: {reason}"):
            read_new_items(path, ITEMS, frozenset())
