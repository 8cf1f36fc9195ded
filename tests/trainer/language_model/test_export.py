import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.conftest import load_signatures
from trainer.export import export
from trainer.rebuild import add_items
from trainer.train import build_model
from trainer.version import Version


@pytest.fixture(scope="module")
def version(tmp_path_factory, tuned_training, examples, progress) -> Version:
    folder, config = tuned_training
    return Version.read(export(examples, folder, tmp_path_factory.mktemp("exported"), config, progress))


@pytest.fixture(scope="module")
def unmerged(tuned_training, examples, schema, progress):
    """The trained model as training leaves it, and the tables of items and users."""
    folder, config = tuned_training
    model, items, users = build_model(examples, folder, schema, config, progress)
    best = tf.train.latest_checkpoint(str(folder / "best"))
    tf.train.Checkpoint(model=model).restore(best).expect_partial()
    model.refresh_texts(progress)
    return model, items, users


def cells(table, ids):
    """The raw columns of some rows of a CSV file."""
    rows = [line.split(",") for line in table.read_text().splitlines()]
    chosen = [row for row in rows[1:] if row[0] in ids]
    return {name: [row[place] for row in chosen] for place, name in enumerate(rows[0])}


def test_the_catalogue_and_new_items_are_read_by_the_tuned_language_model(version, unmerged, examples):
    model, _, _ = unmerged
    np.testing.assert_allclose(version.items.vectors, model.catalogue(), atol=1e-5)
    columns = cells(examples.parent / "items.csv", ("i40", "i41"))
    index = [version.items.ids.index(item) for item in columns.pop("item_id")]
    embedded = load_signatures(version.folder)("embed_item", **columns)["embedding"]
    np.testing.assert_allclose(embedded, version.items.vectors[index], atol=1e-5)


def test_what_users_say_is_read_by_the_tuned_language_model(version, unmerged, examples):
    model, _, users = unmerged
    columns = cells(examples.parent / "users.csv", ("u4", "u5"))
    index = [users.ids.tolist().index(user) for user in columns.pop("user_id")]
    about = version.towers.profile({name: tf.constant(column) for name, column in columns.items()})
    np.testing.assert_allclose(about, model.about_user(tf.constant(index)), atol=1e-5)


def test_scores_are_the_same_before_and_after_merging(version, unmerged, tuned_training):
    model, items, _ = unmerged
    catalogue = model.catalogue()
    index = {item: number for number, item in enumerate(items.ids)}
    past = ["i3", "i5", "i7"]
    history = tf.constant([[index[item] for item in past]], tf.int64)
    vector = model.users(history, model.about_user(tf.constant([1], tf.int64)), catalogue)
    scores = (vector @ tf.transpose(catalogue)).numpy()[0]
    nothing = np.zeros((1, 0), object)
    answer = load_signatures(version.folder)("retrieve", user_id=[""], history=[past], exclude=nothing)
    found = [index[item.decode()] for item in answer["item_id"][0]]
    assert len(found) == 10
    np.testing.assert_allclose(answer["score"][0], scores[found], atol=1e-5)


def test_items_are_added_as_to_any_other_version(version, tmp_path, examples, progress):
    columns = cells(examples.parent / "items.csv", ("i40",))
    del columns["item_id"]
    longer = Version.read(add_items(version, ["new"], ["New"], columns, tmp_path, progress)).items
    np.testing.assert_allclose(longer.vectors[-1], longer.vectors[longer.ids.index("i40")], atol=1e-5)
