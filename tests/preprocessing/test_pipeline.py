"""The whole pipeline, from tables to Examples."""

from __future__ import annotations

import gzip
import json
import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preprocessing import plan
from preprocessing.schema import InputError
from preprocessing.shuffle import RunnerShuffle

INTERACTIONS = """user_id,item_id,rating,time
u1,a,5,10
u1,b,4,20
u1,c,3,30
u1,a,2,40
u2,a,1,5
u2,b,2,5
u3,b,3,1
"""
COLUMNS = {
    "user_id": {"kind": "id"},
    "item_id": {"kind": "id"},
    "rating": {"kind": "label"},
    "time": {"kind": "time"},
}
ITEMS = """item_id,title,genres,year,price,image
a,Toy Story,Animation|Comedy,1995,1.5,0.1 0.2
b,Heat,Crime|Drama|Comedy,1995,,
c,,,1990,3,
d,Psycho,Horror,,4,"1,2"
"""
USERS = """user_id,age,city,about
u1,30,Paris,loves old films
u4,,Rome,
u2,20,,
"""
ITEM_COLUMNS = {
    "item_id": {"kind": "id"},
    "title": {"kind": "text"},
    "genres": {"kind": "multi", "in_text": True},
    "year": {"kind": "categorical"},
    "price": {"kind": "numeric"},
    "image": {"kind": "vector", "length": 2},
}
USER_COLUMNS = {
    "user_id": {"kind": "id"},
    "age": {"kind": "numeric"},
    "city": {"kind": "categorical"},
    "about": {"kind": "text"},
}
ITEMS_TABLE = {"path": "items.csv", "columns": ITEM_COLUMNS}
USERS_TABLE = {"path": "users.csv", "columns": USER_COLUMNS}


def with_tables(project: Any) -> Any:
    project.write("interactions.csv", INTERACTIONS)
    project.write("items.csv", ITEMS)
    project.write("users.csv", USERS)
    return project


@pytest.fixture
def shop(project: Any) -> Any:
    return with_tables(project)


@pytest.fixture(scope="module")
def examples(make_project: Any) -> Any:
    """What the three tables as they are give."""
    return with_tables(make_project()).preprocess(items=ITEMS_TABLE, users=USERS_TABLE)


def test_everything_is_there(examples: Any, tiny_bert: Path) -> None:
    schema = examples.schema
    assert examples.ids("items")[2:] == ["b", "a", "c", "d"]  # 3, 2, 0 and 0 training interactions
    assert examples.ids("users")[2:] == ["u1", "u2", "u3", "u4"]
    assert (schema.items.first_unseen, schema.users.first_unseen) == (4, 5)
    assert schema.counts == {"items": 4, "users": 4, "train": 3, "validation": 1, "test": 1}
    assert schema.items.display == "title"
    assert schema.label is not None
    assert (schema.label.minimum, schema.label.maximum) == (1.0, 5.0)
    assert schema == type(schema).read(examples.folder)
    assert (examples.folder / "language_model/vocab.txt").read_bytes() == (
        tiny_bert / "vocab.txt"
    ).read_bytes()


def test_items(examples: Any) -> None:
    heat, toy_story, third, psycho = examples.part("items")
    genres = (examples.folder / "vocabulary-items.genres.txt").read_text().split()
    assert genres == ["Comedy", "Animation", "Crime", "Drama", "Horror"]
    assert (toy_story["index"], toy_story["id"], toy_story["count"]) == (3, "a", 2)
    assert toy_story["text"] == "Toy Story. Animation, Comedy"
    assert toy_story["display"] == "Toy Story"
    assert toy_story["feature/genres"] == [3, 2]
    assert toy_story["feature/year"] == heat["feature/year"] == [2]
    assert toy_story["feature/price"] == [1.5]
    assert toy_story["feature/image"] == pytest.approx([0.1, 0.2])
    assert heat["feature/price"] == heat["feature/image"] == psycho["feature/year"] == []
    assert (third["text"], third["display"]) == ("", "")
    vocabulary = (examples.folder / "language_model/vocab.txt").read_text(encoding="utf-8").split("\n")
    assert [vocabulary[token] for token in third["tokens"]] == ["[CLS]", "[SEP]"]
    assert [vocabulary[token] for token in heat["tokens"]][:4] == ["[CLS]", "heat", ".", "crime"]
    assert psycho["feature/image"] == [1.0, 2.0]


def test_users(examples: Any) -> None:
    u1, u2, u3, u4 = examples.part("users")
    assert examples.sequences("users", "history") == {
        "u1": list("abca"),
        "u2": list("ab"),
        "u3": ["b"],
        "u4": [],
    }
    assert (u1["feature/age"], u1["text"]) == ([30.0], "loves old films")
    assert u2["feature/city"] == []
    assert (u3["feature/age"], u3["feature/city"], u3["text"]) == ([], [], "")
    assert u3["tokens"] == u4["tokens"]
    assert u4["feature/city"] == [3]
    assert examples.statistics["users_without_row"] == 1
    assert examples.statistics["unseen_users"] == 1


def test_interactions(examples: Any) -> None:
    assert examples.sequences("train") == {"u1": ["a", "b"], "u2": ["a", "b"], "u3": ["b"]}
    [validation], [test] = examples.part("validation"), examples.part("test")
    assert (validation["history"], validation["item"], validation["label"], validation["time"]) == (
        [3, 2],
        [4],
        [3.0],
        [30_000],
    )
    assert (test["history"], test["item"], test["label"], test["time"]) == ([3, 2, 4], [3], [2.0], [40_000])


def test_statistics(examples: Any) -> None:
    statistics = examples.statistics
    assert statistics["tables"]["interactions"] == {
        "read": 7,
        "kept": 7,
        "quarantined": 0,
        "filtered": 0,
        "quarantined_by_reason": {},
        "filtered_by_rule": {},
    }
    assert statistics["interactions"] == {"train": 5, "validation": 1, "test": 1}
    assert statistics["time"] == {"first": 1000, "last": 40000}
    assert statistics["label"]["histogram"] == {"1.0": 1, "2.0": 2, "3.0": 2, "4.0": 1, "5.0": 1}
    assert statistics["history_length"]["maximum"] == 4
    assert statistics["unseen_items"] == 2
    assert statistics["density"] == 7 / 16


def test_ids_alone_are_enough(project: Any) -> None:
    project.write("a.tsv", "u\ti\nx\t1\nx\t2\nx\t3\ny\t3\n")
    columns = {"user_id": {"kind": "id", "source": "u"}, "item_id": {"kind": "id", "source": "i"}}
    examples = project.preprocess({"path": "a.tsv", "columns": columns}, language_model={"path": "nowhere"})
    assert examples.schema.language_model is None
    assert examples.schema.label is None
    assert not (examples.folder / "language_model").exists()
    assert examples.ids("items")[2:] == ["1", "3", "2"]
    assert [row["count"] for row in examples.part("items")] == [1, 1, 0]
    [test] = examples.part("test")
    assert (test["label"], test["time"]) == ([], [])
    assert examples.sequences("test") == {"x": ["3"]}  # without times, the input's order counts


def test_a_table_of_users_may_have_no_rows(project: Any) -> None:
    project.write("interactions.csv", INTERACTIONS)
    project.write("users.csv", USERS.split("\n")[0])
    examples = project.preprocess(users=USERS_TABLE)
    assert [(feature.name, feature.size) for feature in examples.schema.users.features] == [
        ("age", 0),
        ("city", 2),
    ]
    assert examples.statistics["users_without_row"] == 3


def test_rows_that_cannot_be_used_are_quarantined_and_counted(shop: Any) -> None:
    shop.write(
        "interactions.csv",
        INTERACTIONS.encode()
        + b"u1,z,1,1\nu1,a,abc,1\nu1,a,nan,1\n,a,1,1\nu1,a,1\ncaf\xe9,a,1,1\nu1,a,1,soon\n",
    )
    shop.write("items.csv", ITEMS + "b,Heat again,,,,\ne,Speed,,,cheap,\na,Third,,,,\n")
    examples = shop.preprocess(items=ITEMS_TABLE)
    assert [(row["table"], row["file"], row["line"], row["reason"]) for row in examples.quarantine] == [
        ("interactions", "interactions.csv", 9, "item_id 'z' is not in the items table"),
        ("interactions", "interactions.csv", 10, "rating: 'abc' is not a number"),
        ("interactions", "interactions.csv", 11, "rating: NaN is not allowed"),
        ("interactions", "interactions.csv", 12, "user_id is empty"),
        ("interactions", "interactions.csv", 13, "3 cells, the header has 4"),
        (
            "interactions",
            "interactions.csv",
            14,
            "byte 0xe9 at position 4 is not utf-8; check `encoding:` of this table",
        ),
        ("interactions", "interactions.csv", 15, "time: 'soon' is not a number"),
        ("items", "items.csv", 6, "duplicate of items.csv:3"),
        ("items", "items.csv", 7, "price: 'cheap' is not a number"),
        ("items", "items.csv", 8, "duplicate of items.csv:2"),
    ]
    assert examples.quarantine[0]["row"] == "u1,z,1,1"
    tables = examples.statistics["tables"]
    assert (tables["interactions"]["read"], tables["interactions"]["kept"]) == (14, 7)
    assert tables["interactions"]["quarantined_by_reason"]["rating: not a number"] == 1
    assert tables["items"] == {
        "read": 7,
        "kept": 4,
        "quarantined": 3,
        "filtered": 0,
        "quarantined_by_reason": {"duplicate": 2, "price: not a number": 1},
        "filtered_by_rule": {},
    }
    assert [row["display"] for row in examples.part("items")][:2] == ["Heat", "Toy Story"]


def test_too_many_rejected_rows_refuse_the_run(shop: Any) -> None:
    shop.preprocess()
    before = contents(shop.output)
    shop.write("interactions.csv", INTERACTIONS + "u1,a,x,1\nu1,a,y,1\nu1,,1,1\n")
    with pytest.raises(InputError) as error:
        shop.preprocess(maximum_rejected=0.2)
    assert str(error.value) == (
        "interactions: 3 of 10 rows (30.0%) cannot be used, maximum_rejected allows 20.0%; most frequent:\n"
        "  2 rows: rating: not a number; the first is interactions.csv:9: rating: 'x' is not a number\n"
        "  1 rows: item_id is empty; the first is interactions.csv:11: item_id is empty\n"
        f"the rejected rows are in {shop.folder}/examples.quarantine.jsonl"
    )
    assert contents(shop.output) == before
    refused = (shop.folder / "examples.quarantine.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in refused] == [9, 10, 11]
    shop.preprocess(maximum_rejected=0.3)
    assert sorted(path.name for path in shop.folder.iterdir() if "examples" in path.name) == ["examples"]


@pytest.mark.parametrize(
    ("rows", "data", "message"),
    [
        ("", {}, "none is left to train on: 0 rows read"),
        (
            "u,a,1,1\n",
            {"filters": {"minimum_label": 2}},
            "1 rows read, 0 quarantined, 1 filtered by minimum_label",
        ),
        ("u,a,1,1\nv,b,1,1\n", {"filters": {"k_core": 2}}, "2 filtered by k_core"),
        ("u,a,1,1\nv,b,1,1\n", {"split": {"kind": "temporal", "test": 0.5}}, "2 for the test"),
        ("u,a,x,1\n", {"maximum_rejected": 1}, "1 rows read, 1 quarantined"),
    ],
)
def test_nothing_to_train_on(shop: Any, rows: str, data: dict[str, Any], message: str) -> None:
    shop.write("interactions.csv", INTERACTIONS.split("\n")[0] + "\n" + rows)
    with pytest.raises(InputError, match="none is left to train on") as error:
        shop.preprocess(**data)
    assert message in str(error.value)
    assert not shop.output.exists()


def test_all_problems_of_the_inputs_are_told_at_once(shop: Any) -> None:
    shop.write("interactions.csv", "user,item_id,rating,time\n")
    shop.write("items.csv", "")
    with pytest.raises(InputError) as error:
        shop.preprocess(
            items=ITEMS_TABLE, users=USERS_TABLE | {"path": "none.csv"}, language_model={"path": "none"}
        )
    interactions, items, users, model = str(error.value).split("\n")
    assert interactions.startswith(
        "interactions: interactions.csv: no column 'user_id' (did you mean 'user'?)"
    )
    assert items == "items: items.csv: the file is empty"
    assert users == "users: none.csv: no such file"
    assert model.startswith("language_model: none: the folder ")


def test_a_file_that_breaks_off_is_told_by_name(shop: Any) -> None:
    whole = gzip.compress(INTERACTIONS.encode() + random.Random(0).randbytes(200_000).hex().encode())
    shop.write("interactions.csv.gz", whole[:100_000])
    with pytest.raises(
        InputError, match=r"^interactions: interactions\.csv\.gz: cannot be read on after row"
    ):
        shop.preprocess({"path": "interactions.csv.gz"})


def test_other_formats_give_the_same_examples(shop: Any) -> None:
    import csv

    expected = shop.preprocess(items=ITEMS_TABLE)
    expected = {part: expected.part(part) for part in ("items", "users", "train", "validation", "test")}
    items = list(csv.DictReader(ITEMS.splitlines()))
    interactions = list(csv.DictReader(INTERACTIONS.splitlines()))
    shop.write("items.jsonl.gz", gzip.compress("".join(json.dumps(row) + "\n" for row in items).encode()))
    pq.write_table(
        pa.table(
            {
                "user_id": [row["user_id"] for row in interactions],
                "item_id": [row["item_id"] for row in interactions],
                "rating": [float(row["rating"]) for row in interactions],
                "time": [int(row["time"]) for row in interactions],
            }
        ),
        shop.folder / "interactions.parquet",
    )
    examples = shop.preprocess(
        {"path": "interactions.parquet"}, items=ITEMS_TABLE | {"path": "items.jsonl.gz"}
    )
    assert {part: examples.part(part) for part in expected} == expected


def test_items_and_users_outside_the_core_leave_their_tables(shop: Any) -> None:
    examples = shop.preprocess(items=ITEMS_TABLE, users=USERS_TABLE, filters={"k_core": 2})
    # u1: a b c a, u2: a b, u3: b. c and u3 fall away; then u1 trains on one interaction, u2 on two.
    assert examples.ids("items")[2:] == ["a", "b"]
    assert examples.ids("users")[2:] == ["u2", "u1"]
    tables = examples.statistics["tables"]
    assert tables["items"]["filtered_by_rule"] == {"k_core": 2}
    assert tables["users"]["filtered_by_rule"] == {"k_core": 1}
    assert tables["interactions"]["filtered_by_rule"] == {"k_core": 2}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_bytes_depend_on_no_workers_or_shuffle(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    for number in range(3):
        rows = "".join(
            f"u{draw.randrange(200)},i{draw.randrange(80)},{draw.randint(1, 5)},{draw.randrange(99)},w{row}\n"
            for row in range(1000)
        )
        project.write(f"part-{number}.csv", "user_id,item_id,rating,time,review\n" + rows + "u,i,bad,1,\n")
        facts = "".join(f"i{draw.randrange(90)},is,e{draw.randrange(90)}\n" for _ in range(300))
        project.write(f"kg-{number}.csv", "head,relation,tail\n" + facts)
    items = "".join(
        f"i{number % 70},Toy {number},a|b|c{number},{number % 7},{number},\n" for number in range(75)
    )
    project.write("items.csv", "item_id,title,genres,year,price,image\n" + items)
    monkeypatch.setattr(plan, "PARTITION_BYTES", 20_000)
    interactions = {"path": "part-*.csv", "columns": COLUMNS | {"review": {"kind": "text"}}}
    data = {
        "items": ITEMS_TABLE,
        "knowledge": {"triples": {"path": "kg-*.csv"}},
        "split": {"kind": "temporal"},
        "filters": {"k_core": 2},
        "window": 10,
    }
    alone = contents(project.preprocess(interactions, **data).folder)
    shared = contents(project.preprocess(interactions, workers=2, **data).folder)
    assert alone.keys() == shared.keys()
    assert [name for name in alone if alone[name] != shared[name]] == []
    monkeypatch.setattr("preprocessing.pipeline.shuffle_beside", lambda _: nullcontext(RunnerShuffle()))
    without_files = contents(project.preprocess(interactions, **data).folder)
    assert [name for name in alone if alone[name] != without_files[name]] == []
    assert alone["quarantine-00000-of-00001.jsonl"].count(b"\n") > 3


def test_earlier_examples_are_replaced(shop: Any) -> None:
    shop.preprocess()
    (shop.output / "left-over.tfrecord").touch()
    shop.preprocess()
    assert not (shop.output / "left-over.tfrecord").exists()
    assert not list(shop.folder.glob(".examples*"))


@pytest.mark.parametrize("earlier", [True, False])
def test_what_no_earlier_run_wrote_is_not_deleted(shop: Any, earlier: bool) -> None:
    if earlier:
        shop.preprocess()
    shop.output.mkdir(exist_ok=True)
    (shop.output / "schema.json").touch()  # anybody's may have this name
    (shop.output / "notes.txt" if earlier else shop.output / "schema.json").write_text("mine")
    with pytest.raises(InputError, match="holds files that no earlier run wrote; choose another folder"):
        shop.preprocess()
    assert "mine" in [path.read_text() for path in shop.output.glob("[ns][oc]*")]


def test_workers_elsewhere_write_below_the_temp_location(shop: Any) -> None:
    expected = contents(shop.preprocess(items=ITEMS_TABLE).folder)
    runner = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
    with pytest.raises(InputError, match="--runner needs --temp_location"):
        shop.preprocess(items=ITEMS_TABLE, beam_options=[runner])
    (shop.folder / "temp").mkdir()
    options = [runner, f"--temp_location={shop.folder}/temp"]
    assert contents(shop.preprocess(items=ITEMS_TABLE, beam_options=options).folder) == expected
    assert not list((shop.folder / "temp").iterdir())
