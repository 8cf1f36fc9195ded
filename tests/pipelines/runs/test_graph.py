import pytest

from pipelines.runs.code import code_version
from pipelines.steps import GRAPH


def test_the_steps_of_a_run_stand_in_order():
    assert GRAPH.names == ("preprocess", "train", "export", "evaluate", "bless", "push", "recommend")
    assert GRAPH.needed_by("push") == {"preprocess", "train", "export", "evaluate", "bless"}
    assert GRAPH.needed_by("preprocess") == set()


def test_a_step_after_those_that_need_it_is_refused(toy):
    grow, cook, _ = toy.graph
    with pytest.raises(ValueError, match="cook"):
        type(toy.graph)([cook, grow])
    with pytest.raises(ValueError, match="grow"):
        type(toy.graph)([grow, grow])


def test_every_step_names_code_that_is_there():
    versions = [code_version(step.code) for step in GRAPH]
    assert len(set(versions)) == len(versions)
    with pytest.raises(ValueError, match="no package or module"):
        code_version(("pipelines.nothing",))


def test_the_code_version_knows_packages_and_modules(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.runs.code.ROOMS", tmp_path)
    (tmp_path / "room" / "below").mkdir(parents=True)
    (tmp_path / "room" / "below" / "a.py").write_text("a = 1")
    (tmp_path / "b.py").write_text("b = 1")
    before = code_version(("room", "b"))
    (tmp_path / "room" / "__pycache__").mkdir()
    (tmp_path / "room" / "__pycache__" / "a.pyc").write_text("made of the source")
    (tmp_path / "beside.txt").write_text("no part of either")
    assert code_version(("room", "b")) == before
    (tmp_path / "room" / "below" / "page.jinja").write_text("a template")
    with_template = code_version(("room", "b"))
    assert with_template != before
    (tmp_path / "room" / "below" / "page.jinja").write_text("another template")
    assert code_version(("room", "b")) not in (before, with_template)
    (tmp_path / "room" / "below" / "page.jinja").unlink()
    (tmp_path / "room" / "below" / "a.py").rename(tmp_path / "room" / "below" / "c.py")
    assert code_version(("room", "b")) != before
