"""The benchmark of search as people run it, on a small world of films."""

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from benchmarks.search_queries.benchmark import Draw, SearchBenchmark
from benchmarks.search_queries.documents import read_documents
from benchmarks.search_queries.held_out import write_tables
from benchmarks.search_queries.items import quoted_words
from benchmarks.search_queries.peers import bm25
from benchmarks.search_queries.queries import Query, draw_queries
from benchmarks.search_queries.report import INTERESTS, NEGATED, PRECISION, RECALL, Found, Judge
from benchmarks.search_queries.tandem import one_interest
from pipelines.config import RunConfig
from preprocessing.schema import InputError, Schema
from trainer.dataset import read_entities
from trainer.version import Version, newest_version

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(1800)  # a whole run, from raw tables to the picture

ITEMS, HELD_OUT, QUERIES = 50, 12, 60
GENRES = ("comedy", "drama", "horror", "western")
PEOPLE = (
    "amelie lord",
    "ring king",
    "queen toy",
    "fargo heat",
    "vertigo star",
    "matrix river",
    "titanic wolf",
)
WORDS = """
man woman girl boy king queen dragon wizard knight sword gun money bank police doctor teacher student writer
artist family friend mother father son daughter tree house river mountain sea city road
"""
CONTESTANTS = [
    "Tandem",
    "Tandem, one interest",
    "Tandem, one vector",
    "Tandem, negation ignored",
    "Tandem, negated left out",
    "BM25",
    "text vectors",
    "text vectors, interests",
]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A config of films that have a genre or two, two people and a plot of three sentences."""
    folder = tmp_path_factory.mktemp("films")
    generator = np.random.default_rng(0)
    rows = ["item_id\tname\tgenres\tpeople\tplot"]
    for item in range(ITEMS):
        plot = " ".join(f"The {' '.join(generator.choice(WORDS.split(), 8))}." for _ in range(3))
        genres = "|".join(generator.choice(GENRES, generator.integers(1, 3), replace=False))
        people = ", ".join(generator.choice(PEOPLE, 2, replace=False))
        rows.append(f"film{item}\tred {generator.choice(WORDS.split())}\t{genres}\t{people}\t{plot}")
    (folder / "items.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    clicks = ["user\titem_id\ttimestamp"]
    for user in range(40):
        clicks += [
            f"user{user}\tfilm{item}\t{at}" for at, item in enumerate(generator.permutation(ITEMS)[:12])
        ]
    (folder / "clicks.tsv").write_text("\n".join(clicks) + "\n", encoding="utf-8")
    config = {
        "name": "films",
        "data": {
            "interactions": {
                "path": "clicks.tsv",
                "columns": {
                    "user_id": {"kind": "id", "source": "user"},
                    "item_id": {"kind": "id"},
                    "timestamp": {"kind": "time"},
                },
            },
            "items": {
                "path": "items.tsv",
                "columns": {
                    "item_id": {"kind": "id"},
                    "title": {"kind": "text", "source": "name"},
                    "genres": {"kind": "multi", "in_text": True},
                    "people": {"kind": "multi", "separator": ", "},
                    "plot": {"kind": "text"},
                },
            },
            "language_model": {"path": str(tiny_bert), "max_tokens": 32},
        },
        "model": {"dimension": 16, "history": 10, "blocks": 1},
        "train": {"epochs": 50, "batch_size": 32},
        "export": {"k": 5, "candidates": 20},
    }
    path = folder / "films.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "search.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
        cwd="/",
        check=False,
    )


@pytest.fixture(scope="module")
def finished(films: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A benchmark made by the real command, and what it printed."""
    output = tmp_path_factory.mktemp("search") / "films"
    sizes = ("--queries", QUERIES, "--held-out", HELD_OUT, "--epochs", 1)
    done = command("--config", films, "--output", output, *sizes)
    assert done.returncode == 0, done.stdout + done.stderr
    return output, done.stdout


@pytest.fixture(scope="module")
def queries(finished: tuple[Path, str]) -> list[Query]:
    lines = (finished[0] / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Query(**row | {"values": tuple(row["values"])}) for row in rows]


@pytest.fixture(scope="module")
def written(films: Path) -> dict[str, dict[str, str]]:
    """The rows of the original table by id."""
    with (films.parent / "items.tsv").open(encoding="utf-8") as table:
        return {row["item_id"]: row for row in csv.DictReader(table, delimiter="\t")}


@pytest.fixture(scope="module")
def added(finished: tuple[Path, str]) -> dict[str, dict[str, str]]:
    """The rows of what was added, by id."""
    lines = (finished[0] / "tables" / "new.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["item_id"]: row for row in map(json.loads, lines)}


def withheld(written: dict[str, dict[str, str]], added: dict[str, dict[str, str]]) -> dict[str, str]:
    """The sentence of each held-out item that was not added."""
    found = {}
    for item, row in added.items():
        before = {f"{sentence.strip('.')}." for sentence in written[item]["plot"].split(". ")}
        (found[item],) = {sentence for sentence in before if sentence not in row["plot"]}
    return found


def test_training_never_sees_the_held_out_items(
    finished: tuple[Path, str], added: dict[str, dict[str, str]]
) -> None:
    examples = finished[0] / "examples"
    table = read_entities(examples, Schema.read(examples), "items")
    trained = set(table.ids.tolist())
    assert len(added) == HELD_OUT
    assert len(trained - {""}) == ITEMS - HELD_OUT
    assert not trained & set(added)
    for row in added.values():
        assert not any(row["plot"] in text for text in table.texts)
    version = finished[0] / "model" / str(newest_version(finished[0] / "model"))
    assert set(Version.read(version).items.ids[-HELD_OUT:]) == set(added)


def test_nobody_can_look_a_quotation_up(
    finished: tuple[Path, str],
    films: Path,
    queries: list[Query],
    written: dict[str, dict[str, str]],
    added: dict[str, dict[str, str]],
    tmp_path: Path,
) -> None:
    sentences = withheld(written, added)
    folder = finished[0]
    tables = write_tables(RunConfig.read(films), tmp_path, HELD_OUT, 0)
    version = Version.read(folder / "model" / str(newest_version(folder / "model")))
    documents = read_documents(folder / "examples", version.items.ids, tables.items)
    assert len(documents) == ITEMS + 2
    by_id = dict(zip(version.items.ids, documents, strict=True))
    for item, row in written.items():
        assert row["name"] in by_id[item]
        for value in (*row["genres"].split("|"), *row["people"].split(", ")):
            assert by_id[item].count(value) >= 1
    assert not any(
        sentence.strip(".") in document for sentence in sentences.values() for document in documents
    )
    quoting = [query for query in queries if query.quotation]
    assert len(quoting) > QUERIES / 6
    for query in quoting:
        assert query.quotation in sentences[query.item]
        assert 6 <= len(query.quotation.split()) <= 12
        assert query.quotation in query.text


def test_queries_ask_for_what_the_item_has(queries: list[Query], written: dict[str, dict[str, str]]) -> None:
    assert Counter(query.interests for query in queries) == {1: 20, 2: 20, 3: 20}
    for query in queries:
        row = written[query.item]
        has = {*row["genres"].split("|"), *row["people"].split(", ")}
        assert len(query.values) + bool(query.quotation) == query.interests
        assert len(set(query.values)) == len(query.values)
        assert set(query.values) <= has
        assert all(value in query.wanted for value in query.values)
    negated = [query for query in queries if query.negated]
    assert 0.1 < len(negated) / QUERIES < 0.5
    for query in negated:
        assert query.negated in set(GENRES) - set(written[query.item]["genres"].split("|"))
        assert query.text.startswith(query.wanted)
        assert query.negated in query.text.removeprefix(query.wanted)
        assert query.without_negation == f"{query.wanted}, {query.negated}"
    assert all(query.text == query.wanted for query in queries if not query.negated)


def test_a_broad_attribute_is_seldom_asked_for_alone(films: Path, tmp_path: Path) -> None:
    tables = write_tables(RunConfig.read(films), tmp_path, HELD_OUT, 0)
    alone = [query for query in draw_queries(tables.held_out, tables.items, 900, 0) if query.interests == 1]
    share = np.mean([query.values[:1] in [(genre,) for genre in GENRES] for query in alone])
    assert 0.05 < share < 0.2  # of three ways to ask, one is taken 30% of the time


def test_everybody_is_judged(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    report = json.loads((folder / "search.json").read_text())["report"]
    assert [row["name"] for row in report["rows"]] == CONTESTANTS
    assert (report["items"], report["held_out"]) == (ITEMS, HELD_OUT)
    assert report["queries"] == {"1": 20, "2": 20, "3": 20}
    for row in report["rows"]:
        assert row["name"] in printed
        assert set(row["metrics"]) == {RECALL, *INTERESTS.values(), PRECISION, NEGATED}
        for metric in row["metrics"].values():
            assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1
    recall = {row["name"]: row["metrics"][RECALL]["value"] for row in report["rows"]}
    assert set(report["differences"]) == set(CONTESTANTS[1:])
    for name, metrics in report["differences"].items():
        assert metrics[RECALL]["value"] == pytest.approx(recall["Tandem"] - recall[name])
    assert recall["Tandem"] > 10 / ITEMS  # better than drawing ten
    assert recall["BM25"] > 10 / ITEMS
    assert 0 < report["latency"]["p50"] <= report["latency"]["p95"]


def test_the_record_says_how_it_came_about(finished: tuple[Path, str]) -> None:
    record = json.loads((finished[0] / "search.json").read_text())
    assert record["config"]["train"]["epochs"] == 1
    assert record["config"]["export"]["k"] == 10  # as many as are judged
    assert record["libraries"]["bm25s"]
    assert record["environment"]["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert str(finished[0]) in record["command"]
    assert record["training_seconds"] > 0


def test_the_chart_shows_something(finished: tuple[Path, str]) -> None:
    from matplotlib.image import imread

    pixels = imread(finished[0] / "search.png")
    assert min(pixels.shape[:2]) > 300
    assert np.var(pixels) > 0.01


def test_what_is_finished_is_reused(finished: tuple[Path, str], films: Path) -> None:
    folder, _ = finished
    before = json.loads((folder / "search.json").read_text())["report"]
    parts = [*(folder / "trained").rglob("*"), *(folder / "model").rglob("*")]
    changed = {path: path.stat().st_mtime_ns for path in parts if path.is_file()}
    output = io.StringIO()
    drawn = Draw(HELD_OUT, QUERIES, 0)
    SearchBenchmark(folder, RunConfig.read(films), 1, drawn, Console(file=output, width=160)).execute()
    assert "examples: nothing has changed, reused" in output.getvalue()
    assert "held-out items: added before, reused" in output.getvalue()
    assert {path: path.stat().st_mtime_ns for path in changed} == changed
    after = json.loads((folder / "search.json").read_text())["report"]
    assert {**after, "latency": None} == {**before, "latency": None}


def test_more_items_than_can_be_held_out_are_refused(films: Path, tmp_path: Path) -> None:
    done = command("--config", films, "--output", tmp_path / "none", "--held-out", ITEMS)
    assert done.returncode == 2
    assert "at most 25 can be held out" in done.stderr
    assert "Traceback" not in done.stderr


def test_items_without_text_are_refused(films: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(films.read_text(encoding="utf-8"))
    columns = config["data"]["items"]["columns"]
    del columns["title"], columns["plot"]
    path = films.parent / "wordless.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(InputError, match="no column is of kind text"):
        write_tables(RunConfig.read(path), tmp_path, 1, 0)


def test_entities_are_replaced_once(films: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(films.read_text(encoding="utf-8"))
    rows = (films.parent / "items.tsv").read_text(encoding="utf-8").replace("red ", "&amp;lt; ")
    (films.parent / "escaped.tsv").write_text(rows, encoding="utf-8")
    config["data"]["items"]["path"] = "escaped.tsv"
    config["data"]["items"]["columns"]["title"]["unescape_html"] = True
    path = films.parent / "escaped.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    tables = write_tables(RunConfig.read(path), tmp_path, 1, 0)
    assert all(item.cells["title"].startswith("&lt; ") for item in tables.items.values())
    assert tables.config.data.items is not None
    title = tables.config.data.items.columns["title"]
    assert (title.source, title.unescape_html) == (None, False)


def test_a_query_becomes_one_interest() -> None:
    texts = [
        "Comedy please, and something with Ann, but not horror or war",
        "no drama",
        "alone",
        "no more, other; than",
    ]
    assert one_interest(texts) == ["Comedy Ann horror war", "drama", "alone", ""]


def test_quotations_have_no_punctuation() -> None:
    words = quoted_words('He said - "no, never!" - to Ann\'s friend.')
    assert " ".join(words) == "He said no never to Ann's friend"


def test_words_find_items_and_nothing_finds_none() -> None:
    found = bm25(["", "", "a red fox", "the dog and the cat"], ["dog, no fox", "zebra", ""])
    assert set(found[0]) == {2, 3}
    assert not found[1:].any()


def test_shares_count_every_attribute_that_was_asked_for() -> None:
    asked = [
        Query("a", 2, ("Horror", "Ann"), "", "", "", ""),
        Query("b", 1, (), "some words", "", "War", ""),
    ]
    attributes = [frozenset(), frozenset(), frozenset({"horror", "ann"}), frozenset({"ann", "war"})]
    judge = Judge(asked, np.array([2, 2]), attributes)
    nothing = [0] * 8
    found = Found("somebody", True, np.array([[2, 3, *nothing], [3, 0, *nothing]]))
    metrics = {name: metric.value for name, metric in judge.row(found).metrics.items()}
    assert metrics == {
        RECALL: 0.5,
        INTERESTS[1]: 0.0,
        INTERESTS[2]: 1.0,
        PRECISION: pytest.approx(3 / 20),
        NEGATED: pytest.approx(1 / 10),
    }
    other = Found("other", True, np.array([[3, 0, *nothing], [2, 0, *nothing]]))
    assert judge.differences(found, other)[INTERESTS[2]].value == 1.0
