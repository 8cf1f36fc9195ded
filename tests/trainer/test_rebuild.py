import shutil

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from preprocessing.schema import InputError
from trainer.export import export
from trainer.rebuild import add_items, reindex
from trainer.version import Details, Version, newest_version, writing_alone

NONE = np.zeros((1, 0), object)


def _columns(examples, item):
    lines = [line.split(",") for line in (examples.parent / "items.csv").read_text().splitlines()]
    row = next(dict(zip(lines[0], line, strict=True)) for line in lines if line[0] == item)
    return {name: [row[name]] for name in ("title", "genres", "year", "length")}


@pytest.fixture(scope="module")
def grown(tmp_path_factory, model_folder, examples, progress):
    """The model with two more items, alike in everything but their ids."""
    columns = {name: cells * 2 for name, cells in _columns(examples, "i40").items()}
    version = Version.read(model_folder)
    model = tmp_path_factory.mktemp("grown")
    return add_items(version, ["new", "twin"], ["New", "Twin"], columns, model, progress)


@pytest.fixture(scope="module")
def answers(grown, load):
    return load(grown)


def test_new_items_work_in_every_signature(answers):
    similar = answers("similar", item_id=["new"], exclude=NONE)
    # i40 was in the catalogue without interactions: its text and attributes are theirs.
    assert set(similar["item_id"][0][:2]) == {b"twin", b"i40"}
    np.testing.assert_allclose(similar["score"][0][:2], 1.0, atol=1e-4)
    assert answers("describe", item_id=["new", "twin"])["title"].tolist() == [b"New", b"Twin"]
    excluded = answers("similar", item_id=["new"], exclude=[["twin"]])
    assert b"twin" not in excluded["item_id"][0]
    ranked = answers("rank", user_id=[""], history=[["new"]], candidate_id=[["twin", "i40", "nope"]])
    np.testing.assert_allclose(ranked["score"][0][0], ranked["score"][0][1], atol=1e-4)
    assert ranked["score"][0][2] < ranked["score"][0][0]
    recommended = answers("serving_default", user_id=[""], history=[["new"]], exclude=NONE)
    assert set(recommended["because"][0]) == {b"new"} and b"new" not in recommended["item_id"][0]


def test_new_items_are_recommended_where_their_twin_is(answers, signatures):
    everything = [[f"i{number}" for number in range(40)] + ["i41"]]
    known = signatures("serving_default", user_id=["u1"], history=[["i1"]], exclude=everything)
    assert known["item_id"][0][0] == b"i40"
    grown = answers("serving_default", user_id=["u1"], history=[["i1"]], exclude=everything)
    assert set(grown["item_id"][0][:3]) == {b"i40", b"new", b"twin"}
    np.testing.assert_allclose(grown["score"][0][:3], known["score"][0][0], atol=1e-4)


def test_what_was_there_answers_as_before(answers, signatures):
    asked = {"user_id": ["u3"], "history": NONE, "exclude": [["new", "twin"]]}
    np.testing.assert_array_equal(
        answers("serving_default", **asked)["item_id"], signatures("serving_default", **asked)["item_id"]
    )
    asked = {"user_id": ["u3"], "history": [["i1", "i2"]]}
    np.testing.assert_allclose(
        answers("embed_user", **asked)["embedding"], signatures("embed_user", **asked)["embedding"], atol=1e-6
    )


def test_details_tell_what_was_added_and_the_settings_last(grown, model_folder):
    before, after = Details.read(model_folder), Details.read(grown)
    assert (after.items, after.added) == (before.items + 2, 2)
    assert after.trained == before


def test_versions_do_not_grow_by_being_rebuilt(grown, model_folder, progress):
    def functions(folder):
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        return len(model.meta_graphs[0].graph_def.library.function)

    again = reindex(Version.read(grown), Details.read(grown).export, grown.parent, progress)
    assert again.name == "2"
    assert functions(again) == functions(grown)


def test_a_model_with_items_added_is_not_exported_over(tmp_path, grown, examples, training, config, progress):
    newest = shutil.copytree(grown, tmp_path / "1")
    assert export(examples, training, tmp_path, config, progress) == newest
    assert newest_version(tmp_path) == 1


def test_only_one_writes_at_a_time(tmp_path):
    refused = pytest.raises(InputError, match="another command is writing")
    with writing_alone(tmp_path), refused, writing_alone(tmp_path):
        pass
    with writing_alone(tmp_path):
        pass


def test_what_is_no_version_is_refused(tmp_path, model_folder):
    with pytest.raises(InputError, match="no version that Tandem exported"):
        Version.read(tmp_path)
    broken = tmp_path / "1"
    (broken / "assets.extra").mkdir(parents=True)
    for name in ("tandem.json", "schema.json"):
        (broken / "assets.extra" / name).write_bytes((model_folder / "assets.extra" / name).read_bytes())
    with pytest.raises(InputError, match="cannot be loaded"):
        Version.read(broken)
    (broken / "assets.extra" / "tandem.json").write_text('{"name": "old"}')
    with pytest.raises(InputError, match="exported by another version of Tandem"):
        Version.read(broken)
