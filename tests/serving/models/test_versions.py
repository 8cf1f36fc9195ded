import pytest

from serving.errors import ServingError
from serving.models import versions


def complete(folder, name="saved_model.pb"):
    folder.mkdir()
    (folder / name).touch()


def test_finds_whole_numeric_folders_only(tmp_path):
    for name in ("1", "20", "003", ".7", "8.tmp", "-4", "5a", str(2**63 - 1), f"{4:030}", str(2**63)):
        complete(tmp_path / name)
    complete(tmp_path / "6", name="saved_model.pbtxt")
    (tmp_path / "9").mkdir()  # still being copied
    (tmp_path / "11").touch()
    assert versions.find(str(tmp_path)) == {
        1: f"{tmp_path}/1",
        3: f"{tmp_path}/003",
        4: f"{tmp_path}/{4:030}",
        6: f"{tmp_path}/6",
        20: f"{tmp_path}/20",
        2**63 - 1: f"{tmp_path}/{2**63 - 1}",
    }


def test_the_latest_are_the_highest():
    assert versions.Latest()([3, 20, 1]) == {20}
    assert versions.Latest(2)([3, 20, 1]) == {3, 20}
    assert versions.Latest(5)([3, 20, 1]) == {1, 3, 20}
    assert versions.Latest()([]) == set()


def test_all_versions_or_those_that_are_named():
    assert versions.every([3, 20]) == {3, 20}
    assert versions.Specific(frozenset([20, 7]))([3, 20]) == {20}


def test_a_missing_base_path_is_told(tmp_path):
    with pytest.raises(ServingError, match=f"Could not find base path {tmp_path}/nope"):
        versions.require(f"{tmp_path}/nope")


def test_a_base_path_without_versions_tells_what_a_version_is(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(ServingError, match=r"no model version in .*1/saved_model\.pb"):
        versions.require(str(tmp_path))


@pytest.mark.parametrize(("name", "advice"), [("7", "above it: {parent}$"), ("mine", "{parent}/mine/1$")])
def test_a_version_given_as_base_path_tells_which_folder_is_meant(tmp_path, name, advice):
    complete(tmp_path / name)
    with pytest.raises(ServingError, match=advice.format(parent=tmp_path)):
        versions.require(f"{tmp_path}/{name}/")
