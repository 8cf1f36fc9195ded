"""Texts of interactions join the texts of items and users, from training alone."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from preprocessing import plan as plans
from preprocessing.batches import pack
from preprocessing.columns import ReviewColumn
from preprocessing.config import Interactions, LeaveLast
from preprocessing.histories import build_histories
from preprocessing.interactions import InteractionCheck
from preprocessing.reviews import merge_reviews, newest, review_cells, training_reviews
from preprocessing.rows import review_cell
from preprocessing.schema import InputError, TextColumn, parse
from preprocessing.sources import Source
from tests.preprocessing.conftest import batch_of
from trainer.raw_columns import join_text

# u1's last two interactions are held out, and so are u2's; u3 has only two and trains on both.
INTERACTIONS = """user_id,item_id,rating,time,summary,review
u1,a,5,10,great &amp; loud,old one
u1,b,4,20,,"two

lines"
u1,a,3,40,validates,held-out words
u1,a,3,50,tests,held-out words
u2,a,1,20,bad,
u2,b,4,5,early,first of all
u2,c,4,90,validates,held-out words
u2,d,4,99,tests,held-out words
u3,a,1,30,,newest of a
u3,b,4,20,,same moment
u4,b,0,30,ignored,below the minimum
u4,b,5,19,, """
COLUMNS = {
    "user_id": {"kind": "id"},
    "item_id": {"kind": "id"},
    "rating": {"kind": "label"},
    "time": {"kind": "time"},
    "summary": {"kind": "text", "unescape_html": True},
    "comment": {"kind": "text", "source": "review"},
}
ITEMS_TABLE = {
    "path": "items.csv",
    "columns": {
        "item_id": {"kind": "id"},
        "title": {"kind": "text"},
        "genres": {"kind": "multi", "in_text": True},
    },
}
USERS_TABLE = {"path": "users.csv", "columns": {"user_id": {"kind": "id"}, "about": {"kind": "text"}}}
RULES = {"filters": {"minimum_label": 1}}


def with_tables(project: Any) -> Any:
    project.write("interactions.csv", INTERACTIONS)
    project.write("items.csv", "item_id,title,genres\na,Heat,Crime|Drama\nb,,\nc,Speed,\nd,,Drama\n")
    project.write("users.csv", "user_id,about\nu1,loves old films\nu5,new\n")
    return project


@pytest.fixture(scope="module")
def examples(make_project: Any) -> Any:
    """Two reviews an entity, beside tables of both."""
    return with_tables(make_project()).preprocess(
        {"columns": COLUMNS, "reviews": 2}, items=ITEMS_TABLE, users=USERS_TABLE, **RULES
    )


@pytest.fixture(scope="module")
def bare(make_project: Any) -> Any:
    """The interactions alone, with as many reviews as unasked."""
    return with_tables(make_project()).preprocess({"columns": COLUMNS}, **RULES)


def texts(examples: Any, part: str) -> dict[str, str]:
    return {row["id"]: row["text"] for row in examples.part(part)}


def test_the_newest_reviews_follow_the_texts_of_the_tables(examples: Any) -> None:
    assert texts(examples, "items") == {
        "a": "Heat. Crime, Drama. bad. newest of a",  # u1's is older than the two
        "b": "same moment, two lines",  # the later row of the same moment stands first
        "c": "Speed",
        "d": "Drama",
    }
    assert texts(examples, "users") == {
        "u1": "loves old films. great & loud. two lines, old one",
        "u2": "bad, early. first of all",
        "u3": "newest of a, same moment",
        "u4": "",
        "u5": "new",
    }


def test_tables_are_not_needed(bare: Any) -> None:
    assert texts(bare, "items") == {
        "a": "bad, great & loud. newest of a, old one",
        "b": "early. same moment, two lines, first of all",
        "c": "",
        "d": "",
    }
    assert texts(bare, "users")["u1"] == "great & loud. two lines, old one"
    assert bare.schema.items.columns == bare.schema.users.columns == ("summary", "comment")
    assert bare.schema.language_model is not None
    assert bare.schema.items.display is None
    vocabulary = (bare.folder / "language_model/vocab.txt").read_text(encoding="utf-8").split("\n")
    row = next(row for row in bare.part("items") if row["id"] == "b")
    assert [vocabulary[token] for token in row["tokens"]][-1] == "[SEP]"
    assert len(row["tokens"]) == 12  # cut at max_tokens


def test_users_without_a_row_are_still_counted(examples: Any) -> None:
    assert examples.statistics["users_without_row"] == 3
    assert examples.statistics["tables"]["users"]["kept"] == 2
    assert examples.statistics["filled"]["items"] == {
        "comment": 2,
        "genres": 2,
        "item_id": 4,
        "summary": 1,
        "title": 2,
    }


def test_the_schema_tells_how_to_join_raw_cells(examples: Any) -> None:
    text = examples.schema.items.text
    assert text.columns[2:] == (
        TextColumn(name="summary", separator="\n"),
        TextColumn(name="comment", separator="\n"),
    )
    # What a client sends: one review a line, newest first, spaces and empty lines wherever.
    cells = {
        "title": [" Heat", ""],
        "genres": ["Crime | Drama", ""],
        "summary": ["bad", ""],
        "comment": ["newest of a\n\n", " same moment \n two lines"],
    }
    joined = join_text(text, {name: tf.constant(column) for name, column in cells.items()})
    by_item = texts(examples, "items")
    assert [value.decode() for value in joined.numpy()] == [by_item["a"], by_item["b"]]


cell = st.text(alphabet="ab |,.\n\r\t\u2028é", max_size=8)


@given(st.lists(st.tuples(cell, cell), max_size=6))
def test_preprocessing_and_the_exported_model_join_alike(reviews: list[tuple[str, str]]) -> None:
    from preprocessing.text import join_text as plain_join
    from preprocessing.text import text_of

    columns = {name: ReviewColumn(kind="text") for name in ("summary", "comment")}
    text = text_of(columns, 8)
    assert text is not None
    read = [tuple(map(review_cell, columns.values(), texts)) for texts in reviews]
    cells = review_cells([(0, 0, texts) for texts in read], columns)
    raw = {name: tf.constant([column]) for name, column in zip(columns, cells, strict=True)}
    assert join_text(text, raw).numpy()[0].decode() == plain_join(text, cells)
    parts = (", ".join(texts[place] for texts in read if texts[place]) for place in (0, 1))
    assert plain_join(text, cells) == ". ".join(part for part in parts if part)


@pytest.mark.parametrize("split", [{"kind": "random", "validation": 0.2, "test": 0.2}, {"kind": "temporal"}])
def test_only_training_interactions_are_read(
    project: Any, monkeypatch: pytest.MonkeyPatch, split: dict[str, Any]
) -> None:
    monkeypatch.setattr(plans, "PARTITION_BYTES", 500)  # so that there is something to join
    draw = random.Random(4)
    rows = [
        (f"u{draw.randrange(20)}", f"i{draw.randrange(15)}", draw.randrange(50), f"w{number}")
        for number in range(150)
    ]
    project.write(
        "interactions.csv",
        "user_id,item_id,time,word\n" + "".join(f"{u},{i},{t},{w}\n" for u, i, t, w in rows),
    )
    columns = {name: COLUMNS[name] for name in ("user_id", "item_id", "time")} | {"word": {"kind": "text"}}
    examples = project.preprocess({"columns": columns, "reviews": 4}, split=split)
    trained = trained_rows(examples, rows)
    assert 80 < len(trained) < 150
    for part, place in (("users", 0), ("items", 1)):
        expected = defaultdict(list)
        for number in sorted(trained, key=lambda number: (rows[number][2], number), reverse=True):
            expected[rows[number][place]].append(rows[number][3])
        assert {name: text for name, text in texts(examples, part).items() if text} == {
            name: ", ".join(words[:4]) for name, words in expected.items()
        }


def trained_rows(examples: Any, rows: list[Any]) -> set[int]:
    """The rows that are in the training Examples, found by user, item and time; all of these differ."""
    numbers: dict[Any, list[int]] = defaultdict(list)
    for number, (user, item, time, _) in enumerate(rows):
        numbers[user, item, time * 1000].append(number)
    users, items = examples.ids("users"), examples.ids("items")
    found = {
        number
        for example in examples.part("train")
        for item, time in zip(example["item"], example["time"], strict=True)
        for number in numbers[users[example["user"]], items[item], time]
    }
    assert all(len(same) == 1 for same in numbers.values())
    return found


rows = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.integers(0, 3),
        st.just(0.0),
        st.tuples(st.sampled_from(["", "word"])),
    ),
    max_size=25,
)


@given(rows, st.integers(1, 4))
def test_what_the_partitions_choose_is_what_one_would_choose(rows: list[Any], limit: int) -> None:
    placed = [(*row, place) for place, row in enumerate(rows)]
    histories = build_histories(batch_of(placed), LeaveLast(), None)
    whole = training_reviews(histories, histories.rows.items, limit)
    parts = []
    for user in "abc":
        own = [row for row in placed if row[0] == user]
        histories = build_histories(batch_of(own), LeaveLast(), None)
        parts.append(pack(training_reviews(histories, histories.rows.items, limit)))
    assert merge_reviews(reversed(parts), limit) == whole
    for reviews in whole.values():
        assert reviews == newest(reviews, limit)
        assert all(texts == ("word",) for _, _, texts in reviews)
        assert len({place for _, place, _ in reviews}) == len(reviews) <= limit


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" good ", "good"),
        ("one\r\n two \n\n three\n", "one two three"),
        ("one\u2028two", "one\u2028two"),  # no line feed, so it is not cut there
        ("&lt;b&gt; &#10; x", "<b> x"),
        ("\n", ""),
    ],
)
def test_a_review_is_one_line(cell: str, expected: str) -> None:
    assert review_cell(ReviewColumn(kind="text", unescape_html=True), cell) == expected


def test_texts_stand_in_the_configs_order() -> None:
    columns = {"summary": {"kind": "text"}, "item_id": {"kind": "id"}, "user_id": {"kind": "id"}}
    table = parse(Interactions, {"path": "a.csv", "columns": columns | {"more": {"kind": "text"}}}, "data")
    source = Source("interactions", table, table.columns, ())
    assert InteractionCheck(source.columns)(["s", "i", "u", " &amp; "]) == ("u", "i", 0, 0.0, ("s", "&amp;"))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"items": "title"}, "interactions.columns and items.columns both have title; texts of interactions"),
        ({"users": "title"}, "interactions.columns and users.columns both have title; texts of interactions"),
        ({"items": "other", "users": "another"}, None),
    ],
)
def test_a_column_of_the_same_name_is_refused(
    project: Any, tables: dict[str, str], message: str | None
) -> None:
    data = {
        name: {"path": "t.csv", "columns": {f"{name[:-1]}_id": {"kind": "id"}, column: {"kind": "numeric"}}}
        for name, column in tables.items()
    }
    columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}, "title": {"kind": "text"}}
    if message is None:
        assert project.config({"columns": columns}, **data).needs_language_model
        return
    with pytest.raises(InputError) as error:
        project.config({"columns": columns}, **data)
    assert message in str(error.value)


@pytest.mark.parametrize("reviews", [0, -1, "many"])
def test_a_number_of_reviews_is_needed(project: Any, reviews: Any) -> None:
    with pytest.raises(InputError, match=r"interactions\.reviews: "):
        project.config({"columns": COLUMNS, "reviews": reviews})
