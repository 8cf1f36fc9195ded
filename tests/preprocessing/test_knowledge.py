"""Triples and links become an attribute of the items."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing import plan as plans
from preprocessing.batches import pack, unpack
from preprocessing.config import DataConfig
from preprocessing.knowledge import (
    count_neighbours,
    entities_are_items,
    entities_of_links,
    facts_about_items,
    knowledge_cell,
    merge_neighbours,
)
from preprocessing.schema import Feature, InputError, parse, read_vocabulary

INTERACTIONS = "user_id,item_id\nu1,a\nu1,b\nu1,c\nu2,a\nu2,b\nu3,d\n"
ITEMS = "item_id,title,tags\na,Heat,x|y\nb,Speed,\nc,Fargo,x\nd,Alien,\n"
ITEMS_TABLE = {
    "path": "items.csv",
    "columns": {"item_id": {"kind": "id"}, "title": {"kind": "text"}, "tags": {"kind": "multi"}},
}
IDS = {"columns": {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}}
# b and c are one entity, a is two, d is none; z is not in the shop.
LINKS = "item,entity_id\na,E1\na, E9 \nb,E2\nc,E2\nz,E3\nd,\na,E1\nb\n"
TRIPLES = "\n".join(
    [
        "head,relation,tail",
        "E1,actor,Pacino",
        "Pacino,acted in,E2",  # the direction makes no difference
        "E9,actor,Pacino",  # a has him already
        "E1,actor,Pacino",
        "E2,city,Paris",  # two items through one entity
        "E1,city,Rome",  # neighbours one item alone
        "E1,sequel,E2",  # an item's entity is a neighbour like others
        "E3,actor,Pacino",
        "Pacino,born in,Rome",
        "E1,actor,",
        ",actor,Pacino",
        "E1,,Pacino",
        "E1,motto,to be | not to be",
        "E1,actor",
        "",
    ]
)
KNOWLEDGE = {
    "triples": {"path": "kg.csv", "columns": {"head": {}, "relation": {}, "tail": {}}},
    "links": {"path": "links.csv", "columns": {"item_id": {"source": "item"}}},
}


def with_tables(project: Any) -> Any:
    for name, content in (
        ("interactions", INTERACTIONS),
        ("items", ITEMS),
        ("links", LINKS),
        ("kg", TRIPLES),
    ):
        project.write(f"{name}.csv", content)
    return project


@pytest.fixture
def shop(project: Any) -> Any:
    return with_tables(project)


@pytest.fixture(scope="module")
def examples(make_project: Any) -> Any:
    return with_tables(make_project()).preprocess(IDS, items=ITEMS_TABLE, knowledge=KNOWLEDGE)


def knowledge_of(examples: Any) -> dict[str, list[str]]:
    """The neighbours of each item, as names, in the order of the Example."""
    names = ["", "?", *read_vocabulary(examples.folder / "vocabulary-items.knowledge.txt")]
    return {row["id"]: [names[index] for index in row["feature/knowledge"]] for row in examples.part("items")}


def test_neighbours_are_an_attribute_like_any_other(examples: Any) -> None:
    # Neighbours of items: Pacino a b c, E2 a, E1 b c, Paris b c, Rome a.
    assert read_vocabulary(examples.folder / "vocabulary-items.knowledge.txt") == ["Pacino", "E1", "Paris"]
    assert knowledge_of(examples) == {
        "a": ["Pacino"],
        "b": ["Pacino", "E1", "Paris"],
        "c": ["Pacino", "E1", "Paris"],
        "d": [],
    }
    assert examples.schema.items.features == (
        Feature(name="tags", kind="multi", vocabulary="vocabulary-items.tags.txt", size=2 + 2, separator="|"),
        Feature(
            name="knowledge",
            kind="multi",
            vocabulary="vocabulary-items.knowledge.txt",
            size=3 + 2,
            separator="|",
        ),
    )
    assert examples.schema.items.columns == ("title", "tags", "knowledge")
    assert {row["id"]: row["text"] for row in examples.part("items")}["a"] == "Heat"
    assert examples.statistics["filled"]["items"] == {"item_id": 4, "title": 4, "tags": 2, "knowledge": 3}


def test_rows_of_triples_and_links_are_counted(examples: Any) -> None:
    tables = examples.statistics["tables"]
    assert tables["triples"] == {
        "read": 14,
        "kept": 7,
        "quarantined": 5,
        "filtered": 2,
        "quarantined_by_reason": {
            "head is empty": 1,
            "number of cells": 1,
            "relation is empty": 1,
            "tail holds '|', the knowledge.separator": 1,
            "tail is empty": 1,
        },
        "filtered_by_rule": {"about_no_item": 2},
    }
    assert (tables["links"]["read"], tables["links"]["kept"]) == (8, 5)
    assert tables["links"]["filtered_by_rule"] == {"not_in_catalogue": 1}
    assert [(row["table"], row["file"], row["line"], row["reason"]) for row in examples.quarantine] == [
        ("links", "links.csv", 7, "entity_id is empty"),
        ("links", "links.csv", 9, "1 cells, the header has 2"),
        ("triples", "kg.csv", 11, "tail is empty"),
        ("triples", "kg.csv", 12, "head is empty"),
        ("triples", "kg.csv", 13, "relation is empty"),
        (
            "triples",
            "kg.csv",
            14,
            "tail: 'to be | not to be' holds '|', which stands between entities; "
            "set knowledge.separator to another character",
        ),
        ("triples", "kg.csv", 15, "2 cells, the header has 3"),
    ]


def test_without_links_and_items_the_entities_are_the_items_of_the_interactions(shop: Any) -> None:
    shop.write("interactions.csv", "user_id,item_id,review\nu1,a,\nu1,b,old\nu1,c,\nu2,a,new\nu2,b,\nu3,d,\n")
    shop.write("kg.csv", "head,relation,tail\na,by,x | y\nb,by,x | y\nc,by,z\na,like,b\nx | y,in,z\n")
    knowledge = {"triples": {"path": "kg.csv"}, "minimum_items": 1, "separator": ";"}
    interactions = {"columns": IDS["columns"] | {"review": {"kind": "text"}}}
    examples = shop.preprocess(interactions, knowledge=knowledge, filters={"k_core": 2})
    # c and d fall out of the core, so what is said of them is about no item.
    assert examples.ids("items")[2:] == ["a", "b"]
    assert knowledge_of(examples) == {"a": ["x | y", "b"], "b": ["x | y", "a"]}
    assert [row["text"] for row in examples.part("items")] == ["new", "old"]
    assert examples.schema.items.columns == ("review", "knowledge")
    assert examples.schema.items.features[0].separator == ";"
    tables = examples.statistics["tables"]
    assert list(tables) == ["interactions", "triples"]
    assert (tables["triples"]["kept"], tables["triples"]["filtered_by_rule"]) == (3, {"about_no_item": 2})


def plain_neighbours(
    triples: list[tuple[str, str]], links: list[tuple[str, str]], minimum: int
) -> tuple[dict[str, set[str]], list[str]]:
    """The neighbours that are left of each item, and the vocabulary."""
    found = defaultdict(set)
    for item, entity in links:
        for head, tail in triples:
            found[item] |= {tail} if head == entity else set()
            found[item] |= {head} if tail == entity else set()
    counts = Counter(entity for entities in found.values() for entity in entities)
    kept = sorted((name for name in counts if counts[name] >= minimum), key=lambda n: (-counts[n], n))
    return {item: entities & set(kept) for item, entities in found.items() if entities & set(kept)}, kept


@pytest.mark.parametrize("minimum", [2, 4])
def test_the_pipeline_gives_what_a_plain_program_gives(
    project: Any, monkeypatch: pytest.MonkeyPatch, minimum: int
) -> None:
    monkeypatch.setattr(plans, "PARTITION_BYTES", 500)  # so that there is something to join
    draw = random.Random(minimum)
    rows = [(f"u{draw.randrange(9)}", f"i{draw.randrange(30)}") for _ in range(200)]
    links = [(f"i{draw.randrange(40)}", f"e{draw.randrange(30)}") for _ in range(50)]
    triples = [(f"e{draw.randrange(60)}", f"e{draw.randrange(60)}") for _ in range(300)]
    project.write("interactions.csv", "user_id,item_id\n" + "".join(f"{u},{i}\n" for u, i in rows))
    project.write("links.csv", "item_id,entity_id\n" + "".join(f"{i},{e}\n" for i, e in links))
    for part in (0, 1):
        lines = "".join(f"{head},r,{tail}\n" for head, tail in triples[part::2])
        project.write(f"kg-{part}.csv", "head,relation,tail\n" + lines)
    knowledge = {
        "triples": {"path": "kg-*.csv"},
        "links": {"path": "links.csv"},
        "minimum_items": minimum,
    }
    examples = project.preprocess(IDS, knowledge=knowledge)
    items = {item for _, item in rows}
    neighbours, vocabulary = plain_neighbours(triples, [link for link in links if link[0] in items], minimum)
    assert read_vocabulary(examples.folder / "vocabulary-items.knowledge.txt") == vocabulary
    order = {name: place for place, name in enumerate(vocabulary)}
    assert {item: names for item, names in knowledge_of(examples).items() if names} == {
        item: sorted(names, key=order.__getitem__) for item, names in neighbours.items()
    }
    assert examples.statistics["tables"]["links"]["filtered"] == sum(item not in items for item, _ in links)


names = st.sampled_from("abcdef")


@given(st.lists(st.tuples(names, names)), st.lists(st.tuples(names, names)), st.integers(1, 3))
def test_neighbours_do_not_depend_on_how_the_rows_are_cut(
    triples: list[tuple[str, str]], links: list[tuple[str, str]], minimum: int
) -> None:
    entities = entities_of_links([pack(links[:3]), pack(links[3:])])
    chunks = []
    for head, tail in triples:
        chunk = defaultdict(set)
        for item, neighbour in facts_about_items(head, tail, entities):
            chunk[item].add(neighbour)
        chunks.append(pack(dict(chunk)))
    merged = merge_neighbours(chunks)
    [counts] = count_neighbours((0, merged)).values()
    kept = sorted((name for name in counts if counts[name] >= minimum), key=lambda n: (-counts[n], n))
    vocabulary = {name: number for number, name in enumerate(kept)}
    cells = {item: knowledge_cell(found, vocabulary, "|") for item, found in unpack(merged).items()}
    expected, expected_vocabulary = plain_neighbours(triples, links, minimum)
    assert kept == expected_vocabulary
    assert {item: cell.split("|") for item, cell in cells.items() if cell} == {
        item: sorted(found, key=vocabulary.__getitem__) for item, found in expected.items()
    }


def test_an_item_is_the_entity_of_its_name() -> None:
    entities = entities_are_items(["a", "b"])
    assert sorted(facts_about_items("a", "b", entities)) == [("a", "b"), ("b", "a")]
    assert list(facts_about_items("x", "b", entities)) == [("b", "x")]
    assert list(facts_about_items("x", "y", entities)) == []


@pytest.mark.parametrize(
    ("triples", "links", "message"),
    [
        ("", "", "triples: 0 rows read, 0 quarantined, 0 filtered; links: 0 rows read"),
        (
            "A,r,B\nX,r,Y\n",
            "a,A\nq,B\n",
            "triples: 2 rows read, 0 quarantined, 1 filtered by about_no_item; "
            "links: 2 rows read, 0 quarantined, 1 filtered by not_in_catalogue",
        ),
    ],
)
def test_knowledge_that_says_nothing(shop: Any, triples: str, links: str, message: str) -> None:
    shop.write("kg.csv", "head,relation,tail\n" + triples)
    shop.write("links.csv", "item,entity_id\n" + links)
    with pytest.raises(InputError) as error:
        shop.preprocess(IDS, items=ITEMS_TABLE, knowledge=KNOWLEDGE)
    assert "knowledge: no entity neighbours 2 items, the least that minimum_items allows: " in str(
        error.value
    )
    assert message in str(error.value)
    assert not shop.output.exists()


def test_all_problems_of_the_inputs_are_told_at_once(shop: Any) -> None:
    shop.write("kg.csv", "heads,relation,tails\nx,y,z\n")
    shop.write("links.csv", "")
    with pytest.raises(InputError) as error:
        shop.preprocess(IDS, items=ITEMS_TABLE | {"path": "none.csv"}, knowledge=KNOWLEDGE)
    items, triples, links, *_ = str(error.value).split("\n")
    assert items == "items: none.csv: no such file"
    assert triples == (
        "triples: kg.csv: no column 'head' (did you mean 'heads'?); "
        "no column 'tail' (did you mean 'tails'?); the columns are: 'heads', 'relation', 'tails'"
    )
    assert links == "links: links.csv: the file is empty"


def test_every_table_is_a_source_of_the_plan(shop: Any) -> None:
    config = shop.config(IDS, items=ITEMS_TABLE, knowledge=KNOWLEDGE)
    plan = plans.make_plan(config, shop.folder)
    assert [source.name for source in plan.sources] == ["interactions", "items", "triples", "links"]


TRIPLES_TABLE = {"path": "kg.csv"}


@pytest.mark.parametrize(
    ("knowledge", "message"),
    [
        ({}, "knowledge.triples: this key is required"),
        ({"triples": {}}, "knowledge.triples.path: this key is required"),
        (
            {"triples": TRIPLES_TABLE, "minimum_items": 0},
            "knowledge.minimum_items: Input should be greater than 0",
        ),
        ({"triples": TRIPLES_TABLE, "separator": "||"}, "knowledge.separator: String should have at most 1"),
        ({"triples": TRIPLES_TABLE, "link": {}}, "knowledge.link: unknown key"),
        (
            {"triples": TRIPLES_TABLE | {"columns": {"object": {}}}},
            "knowledge.triples.columns.object: unknown key",
        ),
        (
            {"triples": TRIPLES_TABLE | {"columns": {"head": {"kind": "id"}}}},
            "knowledge.triples.columns.head.kind: unknown key",
        ),
        (
            {"triples": TRIPLES_TABLE, "links": {"path": "l.csv", "columns": {"item": {}}}},
            "knowledge.links.columns.item: unknown key",
        ),
    ],
)
def test_sections_that_cannot_be_used(knowledge: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        parse(DataConfig, {"interactions": {"path": "a.csv", **IDS}, "knowledge": knowledge}, "data")
    assert f"data: {message}" in str(error.value)


@pytest.mark.parametrize("table", ["items", "interactions"])
def test_a_column_of_the_same_name_is_refused(project: Any, table: str) -> None:
    columns = {"knowledge": {"kind": "text"}}
    tables = {
        "items": {"path": "items.csv", "columns": {"item_id": {"kind": "id"}}},
        "interactions": IDS,
    }
    tables[table] = tables[table] | {"columns": tables[table]["columns"] | columns}
    with pytest.raises(InputError) as error:
        project.config(tables["interactions"], items=tables["items"], knowledge={"triples": TRIPLES_TABLE})
    assert f"{table}.columns: knowledge is what the attribute of the knowledge: section is called" in str(
        error.value
    )
    assert project.config(tables["interactions"], items=tables["items"]).item_columns
