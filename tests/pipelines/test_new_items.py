import json

import pytest

from pipelines.new_items import read_new_items
from preprocessing.schema import Entity, Feature, Text, TextColumn

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
    assert not items.rejected
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
        ('{"item_id": "a", "price": NaN}', "price: NaN is not allowed"),
        ('{"item_id": "a", "image": [1]}', "image: 1 numbers, 2 are needed"),
        ('{"item_id": "a", "name": "A"}', "nothing is said of 'a'"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_with_its_line_and_costs_no_other(tmp_path, row, reason):
    items = _read(tmp_path, '{"item_id": "good", "title": "x"}', row, '{"item_id": "also", "title": "x"}')
    assert items.ids == ["good", "also"] and items.cells["title"] == ["x", "x"]
    (rejected,) = items.rejected
    assert rejected.line == 2 and reason in rejected.reason
    assert str(rejected).startswith(f"{tmp_path / 'new.jsonl'}:2: ")
