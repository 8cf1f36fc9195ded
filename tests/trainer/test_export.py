import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.dataset import history_batch, read_entities
from trainer.export import export
from trainer.train import build_model
from trainer.version import DETAILS_FILE, Version, next_version

NONE = np.zeros((1, 0), object)
K = 10


@pytest.fixture(scope="session")
def trained(examples, training, schema, config, progress):
    tandem, items, users = build_model(examples, training, schema, config, progress)
    tf.train.Checkpoint(model=tandem).restore(
        tf.train.latest_checkpoint(str(training / "best"))
    ).expect_partial()
    return tandem, items, users


def _ids(row):
    return [value.decode() for value in row if value]


def _all_items():
    return [f"i{number}" for number in range(42)]


def test_it_loads_in_a_process_that_knows_nothing_of_the_trainer(model_folder):
    program = (
        "import sys, tensorflow as tf, tensorflow_text, scann.scann_ops.py.scann_ops\n"
        f"loaded = tf.saved_model.load({str(model_folder)!r})\n"
        "assert not any(name.split('.')[0] in ('trainer', 'preprocessing') for name in sys.modules)\n"
        "print(sorted(loaded.signatures))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.strip() == str(
        [
            "describe",
            "embed_item",
            "embed_user",
            "rank",
            "retrieve",
            "search",
            "search_as",
            "serving_default",
            "similar",
            "welcome",
        ]
    )


@pytest.mark.parametrize("index", ["signatures", "portable_signatures"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(["u3", "u11", "nobody", ""]),
    history=st.lists(st.sampled_from([*_all_items(), "nope"]), max_size=12),
    exclude=st.lists(st.sampled_from([*_all_items(), "nope"]), max_size=42, unique=True),
)
def test_the_answer_never_holds_an_excluded_item_and_is_never_short(
    request, index, examples, schema, user, history, exclude
):
    signatures = request.getfixturevalue(index)
    answer = signatures("serving_default", user_id=[user], history=[history], exclude=[exclude])
    shown = _ids(answer["item_id"][0])
    past = history or _stored(examples, schema).get(user, [])
    banned = set(exclude) | set(past)
    assert not banned & set(shown)
    assert len(set(shown)) == len(shown) == min(K, len(set(_all_items()) - banned))
    assert all(value == b"" for value in answer["item_id"][0][len(shown) :])
    scores = answer["score"][0]
    assert np.isfinite(scores).all() and (np.diff(scores) <= 0).all()
    reasons = answer["because"][0]
    known = set(past) & set(_all_items())
    assert all((reason.decode() in known) if known else reason == b"" for reason in reasons[: len(shown)])
    assert all(reason == b"" for reason in reasons[len(shown) :])


def test_the_reason_is_the_nearest_item_of_the_history(signatures, trained):
    tandem, items, _ = trained
    vectors = dict(zip(items.ids, tandem.catalogue().numpy(), strict=True))
    history = ["i1", "i4", "i8"]
    answer = signatures("serving_default", user_id=[""], history=[history], exclude=NONE)
    for item, reason in zip(_ids(answer["item_id"][0]), _ids(answer["because"][0]), strict=True):
        assert reason == max(history, key=lambda past: vectors[past] @ vectors[item])


@pytest.mark.parametrize("signature", ["serving_default", "retrieve", "similar"])
@pytest.mark.parametrize("index", ["signatures", "portable_signatures"])
def test_when_all_but_one_is_excluded_that_one_comes_alone(request, index, signature):
    exclude = [[item for item in _all_items() if item != "i7"]]
    who = {"item_id": ["i3"]} if signature == "similar" else {"user_id": [""], "history": NONE}
    answer = request.getfixturevalue(index)(signature, exclude=exclude, **who)
    assert answer["item_id"][0].tolist() == [b"i7"] + [b""] * (K - 1)
    nothing = request.getfixturevalue(index)(signature, exclude=[_all_items()], **who)
    assert nothing["item_id"][0].tolist() == [b""] * K


def _stored(examples, schema):
    items, users = read_entities(examples, schema, "items"), read_entities(examples, schema, "users")
    return {
        user: [items.ids[item] for item in row] for user, row in zip(users.ids, users.history, strict=True)
    }


def test_an_empty_history_is_the_stored_one(signatures, examples, schema):
    stored = _stored(examples, schema)["u5"]
    implied = signatures("serving_default", user_id=["u5"], history=NONE, exclude=NONE)
    padded = signatures("serving_default", user_id=["u5"], history=[["", ""]], exclude=NONE)
    given = signatures("serving_default", user_id=["u5"], history=[stored], exclude=NONE)
    for other in (padded, given):
        assert _ids(implied["item_id"][0]) == _ids(other["item_id"][0])
        np.testing.assert_allclose(implied["score"], other["score"], atol=1e-5)


def test_a_batch_answers_as_its_rows_alone(signatures):
    rows = [("u1", ["i1", "i2", "i3"], ["i9"]), ("nobody", ["i4", "", ""], [""]), ("", ["", "", ""], ["i0"])]
    users, histories, excluded = zip(*rows, strict=True)
    for signature in ("serving_default", "retrieve"):
        together = signatures(signature, user_id=users, history=histories, exclude=excluded)
        for number, (user, history, exclude) in enumerate(rows):
            alone = signatures(
                signature,
                user_id=[user],
                history=[[x for x in history if x]],
                exclude=[[x for x in exclude if x]],
            )
            np.testing.assert_array_equal(together["item_id"][number], alone["item_id"][0])
            np.testing.assert_allclose(together["score"][number], alone["score"][0], atol=1e-5)


@pytest.mark.parametrize("signature", ["serving_default", "retrieve"])
def test_what_is_unknown_or_padding_in_a_history_changes_nothing(signatures, signature):
    given = [["i1", "i2", "i3"], ["i4", "i5", "i6"]]
    gaps = [["nope", "i1", "", "i2", "nope", "i3"], ["i4", "i5", "", "", "i6", ""]]
    answers = [
        signatures(signature, user_id=["", "u1"], history=history, exclude=np.zeros((2, 0), object))
        for history in (given, gaps)
    ]
    for name in answers[0].keys() - {"score"}:
        np.testing.assert_array_equal(answers[0][name], answers[1][name])
    np.testing.assert_allclose(answers[0]["score"], answers[1]["score"], atol=1e-5)


def test_retrieve_is_the_exact_ranking_of_the_towers(signatures, trained, config):
    tandem, items, _ = trained
    catalogue = tandem.catalogue()
    index = {item: number for number, item in enumerate(items.ids)}
    history = [index["i3"], index["i5"], index["i7"]]
    vector = tandem.users(
        tf.constant(history_batch([np.array(history)], config.model.history)),
        tandem.about_user(tf.constant([1], tf.int64)),
        catalogue,
    )
    scores = (vector @ tf.transpose(catalogue)).numpy()[0]
    scores[[0, 1, *history]] = -np.inf
    best = np.argsort(-scores)[:K]
    answer = signatures("retrieve", user_id=[""], history=[["i3", "i5", "i7"]], exclude=NONE)
    assert _ids(answer["item_id"][0]) == list(items.ids[best])
    np.testing.assert_allclose(answer["score"][0], scores[best], atol=1e-5)


def test_rank_gives_the_scores_of_serving_default(signatures, schema):
    answer = signatures("serving_default", user_id=["u2"], history=[["i0", "i2"]], exclude=NONE)
    ranked = signatures("rank", user_id=["u2"], history=[["i0", "i2"]], candidate_id=answer["item_id"])
    np.testing.assert_allclose(ranked["score"], answer["score"], atol=1e-5)
    rating = ranked["rating"]
    assert (rating >= schema.label.minimum).all() and (rating <= schema.label.maximum).all()
    for name in ("score", "retrieved"):
        unknown = signatures("rank", user_id=["u2"], history=NONE, candidate_id=[["nope", "", "i1"]])[name]
        assert unknown[0, :2].max() < unknown[0, 2]


@pytest.mark.parametrize("blend", [0.0, 0.5])
def test_the_blend_decides_whether_ranking_has_a_say(tmp_path, model_folder, load, progress, blend):
    version = Version.read(model_folder)
    details = version.details.model_copy(update={"blend": blend})
    signatures = load(replace(version, details=details).write(tmp_path, progress))
    request = {"user_id": ["u2"], "history": [["i0", "i2"]]}
    answer = signatures("serving_default", **request, exclude=NONE)
    retrieved = signatures("retrieve", **request, exclude=NONE)
    ranked = signatures("rank", **request, candidate_id=answer["item_id"])
    np.testing.assert_allclose(ranked["score"], answer["score"], atol=1e-5)
    assert (np.diff(answer["score"][0]) <= 0).all()
    assert (_ids(answer["item_id"][0]) == _ids(retrieved["item_id"][0])) == (blend == 0)


def test_rank_tells_the_scores_of_retrieve(signatures):
    answer = signatures("retrieve", user_id=["u2"], history=[["i0", "i2"]], exclude=NONE)
    ranked = signatures("rank", user_id=["u2"], history=[["i0", "i2"]], candidate_id=answer["item_id"])
    np.testing.assert_allclose(ranked["retrieved"], answer["score"], atol=1e-5)


def test_similar_leaves_the_item_itself_out_and_knows_nothing_of_the_unknown(signatures):
    answer = signatures("similar", item_id=["i4", "nope"], exclude=[["i6"], [""]])
    shown = _ids(answer["item_id"][0])
    assert len(shown) == K and not {"i4", "i6"} & set(shown)
    assert _ids(answer["item_id"][1]) == []


def test_embed_item_of_an_unseen_item_is_its_place_in_the_catalogue(signatures, examples, trained, schema):
    tandem, items, _ = trained
    catalogue = tandem.catalogue().numpy()
    tables = examples.parent
    rows = [line.split(",") for line in (tables / "items.csv").read_text().splitlines()[1:]]
    unseen = [row for row in rows if row[0] in ("i40", "i41")]
    columns = {
        name: [row[place] for row in unseen]
        for place, name in enumerate(["item_id", "title", "genres", "year", "length"])
    }
    ids = columns.pop("item_id")
    embedded = signatures("embed_item", **columns)["embedding"]
    index = [int(np.flatnonzero(items.ids == item)[0]) for item in ids]
    assert min(index) >= schema.items.first_unseen
    np.testing.assert_allclose(embedded, catalogue[index], atol=1e-4)


def test_embed_user_finds_what_retrieve_finds(signatures, trained):
    tandem, items, _ = trained
    vector = signatures("embed_user", user_id=["u1"], history=[["i1"]])["embedding"][0]
    scores = tandem.catalogue().numpy() @ vector
    scores[[0, 1, int(np.flatnonzero(items.ids == "i1")[0])]] = -np.inf
    answer = signatures("retrieve", user_id=["u1"], history=[["i1"]], exclude=NONE)
    assert _ids(answer["item_id"][0])[0] == items.ids[scores.argmax()]


def test_describe_names_items(signatures, examples):
    first = (examples.parent / "items.csv").read_text().splitlines()[1].split(",")
    titles = signatures("describe", item_id=[first[0], "nope", ""])["title"]
    assert list(titles) == [first[1].encode(), b"", b""]


def test_versions_count_up_and_carry_their_details(tmp_path, model_folder, training):
    assert model_folder.name == "1"
    details = json.loads((model_folder / "assets.extra" / DETAILS_FILE).read_text())
    assert details["fingerprint"] == json.loads((training / "training.json").read_text())["fingerprint"]
    for name in ("3", "12", "notes", ".13.partial"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 13


def test_a_training_of_another_config_is_not_exported(tmp_path, examples, training, progress):
    with pytest.raises(InputError, match="no finished training of these examples with this config"):
        export(examples, training, tmp_path / "model", TrainerConfig(), progress)
    assert not (tmp_path / "model").exists()


def test_the_same_model_is_not_exported_twice(tmp_path, model_folder, examples, training, config, progress):
    first = shutil.copytree(model_folder, tmp_path / "1")
    assert export(examples, training, tmp_path, config, progress) == first
    other = config.model_copy(update={"export": config.export.model_copy(update={"k": 5})})
    assert export(examples, training, tmp_path, other, progress).name == "2"


def test_without_its_checkpoint_nothing_is_exported(tmp_path, examples, training, config, progress):
    copied = tmp_path / "training"
    shutil.copytree(training, copied)
    shutil.rmtree(copied / "best")
    with pytest.raises(InputError, match="the checkpoint to export is gone"):
        export(examples, copied, tmp_path / "model", config, progress)
    assert not list((tmp_path / "model").iterdir())


def test_nobody_and_an_unknown_user_are_ranked_alike(signatures):
    ratings = [
        signatures("rank", user_id=[user], history=[["i1"]], candidate_id=[["i3", "i5"]])["rating"]
        for user in ("", "nobody")
    ]
    np.testing.assert_array_equal(*ratings)


def test_somebody_new_with_the_same_columns_is_served_like_the_known_user(signatures, examples):
    header, *rows = [line.split(",") for line in (examples.parent / "users.csv").read_text().splitlines()]
    row = dict(zip(header, rows[4], strict=True))
    user = row.pop("user_id")
    columns = {name: [cell] for name, cell in row.items()}
    new = signatures("welcome", history=[["i1"]], exclude=[["i3"]], **columns)
    # The ranker knows the one's ID and not the other's, so retrieval is what must be the same.
    known = signatures("retrieve", user_id=[user], history=[["i1"]], exclude=[["i3"]])
    assert set(_ids(new["item_id"][0])) & set(_ids(known["item_id"][0]))
    assert not {"i1", "i3"} & set(_ids(new["item_id"][0]))
    nothing = signatures("welcome", history=NONE, exclude=NONE, **{name: [""] for name in columns})
    nobody = signatures("serving_default", user_id=[""], history=NONE, exclude=NONE)
    assert _ids(nothing["item_id"][0]) == _ids(nobody["item_id"][0])
    np.testing.assert_allclose(nothing["score"], nobody["score"], atol=1e-5)


@pytest.mark.parametrize("about", ["likes red films", "likes blue films"])
def test_the_columns_of_somebody_new_change_the_answer(signatures, about):
    empty = {"gender": [""], "age": [""], "about": [""]}
    nobody = signatures("welcome", history=NONE, exclude=NONE, **empty)
    somebody = signatures("welcome", history=NONE, exclude=NONE, **empty | {"about": [about]})
    assert np.abs(nobody["score"] - somebody["score"]).max() > 1e-4
