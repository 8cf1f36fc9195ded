"""The `search` signature of an export: what is found, why, and that nothing breaks it."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.rebuild import add_items
from trainer.search.answer import CANDIDATES
from trainer.version import Version

NONE = np.zeros((1, 0), object)


@pytest.fixture(scope="module", params=["model_folder", "portable_folder"])
def search(request):
    import tensorflow_text  # noqa: F401 (registers ops)

    loaded = tf.saved_model.load(str(request.getfixturevalue(request.param)))

    def ask(*queries, history=(), exclude=(), user="", personal=None):
        rows = len(queries)
        inputs = {
            "query": tf.constant(queries, tf.string),
            "history": tf.constant([list(history)] * rows, tf.string, [rows, len(history)]),
            "exclude": tf.constant([list(exclude)] * rows, tf.string, [rows, len(exclude)]),
        }
        if user or personal is not None:
            share = 0.3 if personal is None else personal
            inputs |= {"user_id": tf.constant([user] * rows), "personal": tf.constant([share] * rows)}
        answer = loaded.signatures["search" if len(inputs) == 3 else "search_as"](**inputs)
        return {name: value.numpy() for name, value in answer.items()}

    return ask


@pytest.fixture(scope="module")
def titles(signatures, schema, examples):
    ids = (examples / schema.items.vocabulary).read_text().split()
    found = signatures("describe", item_id=ids)["title"]
    return {item.encode(): title.decode() for item, title in zip(ids, found, strict=True)}


def test_the_contract_is_kept(model_folder):
    loaded = tf.saved_model.load(str(model_folder))
    inputs = loaded.signatures["search"].structured_input_signature[1]
    assert set(inputs) == {"query", "history", "exclude"}
    inputs = loaded.signatures["search_as"].structured_input_signature[1]
    assert set(inputs) == {"query", "user_id", "history", "exclude", "personal"}
    outputs = loaded.signatures["search"].structured_outputs
    assert {"item_id", "score", "interest", "weight", "matched", "match"} == set(outputs)


def test_words_find_what_is_called_so(search, titles):
    answer = search("a red star")
    best = [titles[item] for item in answer["item_id"][0][:3]]
    assert all("red" in title or "star" in title for title in best)
    assert answer["interest"].tolist() == [[b"red star"]]
    assert answer["weight"][0] == pytest.approx([1.0])
    assert (np.diff(answer["score"][0]) <= 0).all()


def test_each_interest_is_found_and_named(search, titles):
    answer = search("river and night")
    assert sum(answer["weight"][0]) == pytest.approx(1.0)
    for item, matched, match in zip(
        *(answer[name][0][:4] for name in ("item_id", "matched", "match")), strict=True
    ):
        assert matched.decode() in titles[item]
        weighed = match * answer["weight"][0]
        assert answer["interest"][0][weighed.argmax()] == matched


def test_what_is_not_wanted_is_pushed_away(search, titles):
    wanted = [titles[item] for item in search("star, war")["item_id"][0] if item]
    answer = search("star, no war")
    assert (answer["weight"][0] < 0).tolist() == [False, True]
    assert set(answer["matched"][0]) <= {b"star", b""}
    assert len(wanted) == len([item for item in answer["item_id"][0] if item])
    unwanted = answer["match"][0][:, 1]
    assert unwanted[:5].max() <= search("star, war")["match"][0][:5, 1].max()


def test_history_and_words_are_weighed(search):
    history = ["i1", "i3", "i5"]
    words, person = (search("star", history=history, personal=share) for share in (0.0, 1.0))
    # With no share the person changes nothing, but what they have is left out.
    had = {item.encode() for item in history}
    alone = [item for item in search("star")["item_id"][0] if item not in had]
    assert words["item_id"][0].tolist()[: len(alone)] == alone
    assert words["item_id"].tolist() != person["item_id"].tolist()
    assert not had & {*words["item_id"][0], *person["item_id"][0]}
    other = search("star", history=["i2", "i4"], personal=1.0)
    assert person["item_id"].tolist() != other["item_id"].tolist()
    # A share beyond its range counts as its end, and what is no number as if nothing had been said.
    assert search("star", history=history, personal=7.0)["item_id"].tolist() == person["item_id"].tolist()
    usual = search("star", history=history)
    assert search("star", history=history, personal=np.nan)["item_id"].tolist() == usual["item_id"].tolist()


def test_a_known_user_brings_the_stored_history(search):
    assert search("star", user="u3", personal=1.0)["item_id"].tolist() != search("star")["item_id"].tolist()
    assert search("star", user="nobody")["item_id"].tolist() == search("star")["item_id"].tolist()


def test_excluded_items_never_come_back(search, titles):
    found = search("star")["item_id"][0]
    rest = search("star", exclude=list(found[:4]))["item_id"][0]
    assert not set(found[:4]) & set(rest)
    everything = search("star", exclude=list(titles))
    assert set(everything["item_id"][0]) == {b""}
    assert (everything["score"] <= np.finfo(np.float32).min).all()


def test_nothing_asked_for_suits_the_person(search, signatures):
    answer = search("", history=["i1", "i3"])
    assert answer["interest"].shape == (1, 0)
    assert set(answer["matched"][0]) == {b""}
    served = signatures("retrieve", user_id=[""], history=[["i1", "i3"]], exclude=NONE)
    assert answer["item_id"][0].tolist() == served["item_id"][0].tolist()


def test_an_answer_has_as_many_places_as_the_config_says(tmp_path, model_folder, load, progress):
    version = Version.read(model_folder)
    k = CANDIDATES + len(version.items.ids)
    details = version.details.model_copy(
        update={"export": version.details.export.model_copy(update={"k": k})}
    )
    names = [f"n{number}" for number in range(k)]
    cells = {
        "title": [f"red star {name}" for name in names],
        "genres": ["war"] * k,
        "year": ["1990"] * k,
        "length": [str(number) for number in range(k)],
    }
    folder = add_items(replace(version, details=details), names, cells["title"], cells, tmp_path, progress)
    answer = load(folder)("search", query=["", "a red star"], history=[[], []], exclude=[[], []])
    assert answer["item_id"].shape == (2, k)
    assert all(len({*row} - {b""}) == k for row in answer["item_id"])


def test_rows_of_a_batch_answer_as_they_do_alone(search):
    queries = ["star", "", "red river, no night", "?"]
    together = search(*queries)
    for row, query in enumerate(queries):
        alone = search(query)
        assert together["item_id"][row].tolist() == alone["item_id"][0].tolist()
        assert together["score"][row] == pytest.approx(alone["score"][0], rel=1e-3, abs=1e-3)


def test_no_query_is_no_error(search):
    assert search()["item_id"].shape == (0, 10)


NOISE = [
    "",
    "the and or",
    "🎉🚀",
    "STAR WAR",
    "satr, rde rivr",
    "x" * 10_000,
    "star，夜 and 爱情, no 恐怖片",
    "a\0b",
]


@pytest.mark.parametrize("query", NOISE, ids=range(len(NOISE)))
def test_noise_is_survived(search, query):
    answer = search(query)
    assert all(np.isfinite(answer[name]).all() for name in ("score", "weight", "match"))
    assert all(answer["item_id"][0])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_bytes_are_survived(search, query):
    answer = search(query)
    assert all(np.isfinite(answer[name]).all() for name in ("score", "weight", "match"))
    assert len(set(answer["item_id"][0])) == 10


def test_capitals_say_the_same(search):
    assert search("RED STAR")["item_id"].tolist() == search("red star")["item_id"].tolist()
