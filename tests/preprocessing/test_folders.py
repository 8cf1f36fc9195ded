import pytest

from preprocessing.schema import InputError, folder_digest, whole_folder, write_whole


def _is_ours(folder):
    return [path.name for path in folder.iterdir()] == ["mark"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), whole_folder(target, _is_ours) as scratch:
        (scratch / "mark").write_text("1")
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    for content in ("1", "2"):
        with whole_folder(target, _is_ours) as scratch:
            (scratch / "mark").write_text(content)
    assert (target / "mark").read_text() == "2"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_kill_left_is_put_right(tmp_path):
    (tmp_path / ".out.replaced").mkdir()
    (tmp_path / ".out.replaced" / "mark").write_text("old")
    (tmp_path / ".out.partial").mkdir()
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out", _is_ours):
        _ = 1 / 0
    assert (tmp_path / "out" / "mark").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["file", "folder", "folder of an earlier run"])
def test_what_is_not_ours_is_left_alone(tmp_path, kind):
    target = tmp_path / "out"
    precious = target if kind == "file" else target / "thesis.txt"
    precious.parent.mkdir(exist_ok=True)
    if kind == "folder of an earlier run":
        (target / "mark").write_text("1")
    precious.write_text("precious")
    with pytest.raises(InputError, match=r"in the way|choose another folder"), whole_folder(target, _is_ours):
        pass
    assert precious.read_text() == "precious"


def test_a_file_takes_no_folders_place(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="out: a file is to be written here, but a folder is in the way"):
        write_whole(tmp_path / "out", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_digest_tells_names_and_contents(tmp_path):
    digests = set()
    for name, content in (("a", "x"), ("a", "y"), ("b", "y"), ("c/b", "y")):
        folder = tmp_path / f"{len(digests)}"
        (folder / name).parent.mkdir(parents=True)
        write_whole(folder / name, content.encode())
        digests.add(folder_digest(folder))
    assert len(digests) == 4
