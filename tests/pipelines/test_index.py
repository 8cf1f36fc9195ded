"""`tandem index` on a real model, with a real server beside it."""

import json
import shutil
import sys
import time

import pytest

from pipelines import cli
from serving.client import Client


@pytest.fixture
def model(finished_run, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(finished_run[0] / "model" / "1", folder / "1")
    return folder


@pytest.fixture
def server(tandem, model):
    with tandem.serving(model) as address:
        yield address


@pytest.fixture
def index(capsys, monkeypatch):
    """Runs `tandem index` in this process; gives its status, standard output and error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tandem", "index", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def _columns(model):
    schema = json.loads((model / "1" / "assets.extra" / "schema.json").read_text())
    return schema["items"]


def test_items_added_are_recommended_by_the_running_server(tandem, model, server, tmp_path):
    entity = _columns(model)
    texts = [column["name"] for column in entity["text"]["columns"] if not column["separator"]]
    rows = [{entity["id_column"]: f"new-{number}", texts[0]: "Star Wars Returns"} for number in (1, 2)]
    new = tmp_path / "new.jsonl"
    new.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output, _ = tandem("index", "add", "--model", model, "--items", new)
    assert "2 items added: " in output
    assert sorted(path.name for path in model.iterdir()) == ["1", "2"]
    with Client(server, timeout=60) as client:
        _until_known(client, "new-1")
        similar = client.predict("similar", {"item_id": [b"new-1"], "exclude": [[b"50"]]})
        assert similar["item_id"][0][0] == b"new-2"
        assert similar["score"][0][0] == pytest.approx(1.0, abs=1e-4)
        answer = client.recommend(history=["new-1"], k=20)
        assert {each.because for each in answer} == {"new-1"} and "new-1" not in {
            each.item_id for each in answer
        }
        everything = [item for item in _catalogue(model) if not item.startswith("new-")]
        left = client.recommend(history=["50"], exclude=everything)
        assert {each.item_id for each in left} == {"new-1", "new-2"}
        assert {each.title for each in left} == {"Star Wars Returns"}


def _catalogue(model):
    return (model / "2" / "assets" / "vocabulary-items.txt").read_text().splitlines()


def _until_known(client, item):
    end = time.monotonic() + 300
    while client.predict("describe", {"item_id": [item.encode()]})["title"][0] == b"":
        assert time.monotonic() < end, "the new version never came"
        time.sleep(0.5)


def test_another_index_gives_the_next_version(index, model):
    status, output, _ = index("build", "--model", model, "--index", "portable", "--leaves", 9)
    assert status == 0 and f"portable index: {model / '2'}\n" in output
    details = json.loads((model / "2" / "assets.extra" / "tandem.json").read_text())
    assert details["export"]["index"] == "portable" and details["export"]["portable"]["leaves"] == 9


def test_new_items_are_lifted_by_another_score(index, model):
    status, output, _ = index("build", "--model", model, "--new_item_lift", 0.25)
    assert status == 0 and f"scann index: {model / '2'}\n" in output
    before, after = (
        json.loads((model / version / "assets.extra" / "tandem.json").read_text()) for version in ("1", "2")
    )
    assert before["export"]["new_item_lift"] == 0.0
    assert after["export"] == before["export"] | {"new_item_lift": 0.25}
    status, _, errors = index("build", "--model", model, "--new_item_lift", 2)
    assert status == 2 and "--new_item_lift" in errors


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            ['{"item_id": "50", "title": "Star Wars"}'],
            "{file}:1: item_id: the catalogue already has '50'",
        ),
        (
            ['{"item_id": "new", "title": "x"}', '{"item_id": "b", "titel": "x"}'],
            "{file}:2: unknown column 'titel'; the model's columns are: item_id, ",
        ),
        ([], "{file}: no row; JSON objects are needed, one a line"),
        (None, "{file}: No such file"),
    ],
)
def test_items_that_cannot_be_added_are_refused_in_one_line(index, model, tmp_path, rows, said):
    file = tmp_path / "new.jsonl"
    if rows is not None:
        file.write_text("".join(f"{row}\n" for row in rows))
    _refused(index("add", "--model", model, "--items", file), said.format(file=file))
    assert [path.name for path in model.iterdir()] == ["1"]


def test_a_setting_that_the_index_does_not_have_is_refused(index, model):
    _refused(
        index("build", "--model", model, "--index", "portable", "--reorder", 5),
        "--reorder is for --index scann (this one is portable)",
    )
    assert [path.name for path in model.iterdir()] == ["1"]


def test_what_is_no_model_of_tandem_is_refused(index, tmp_path):
    stranger = tmp_path / "stranger"
    saved_model = stranger / "1" / "saved_model.pb"
    saved_model.parent.mkdir(parents=True)
    saved_model.touch()
    for folder, said in (
        (stranger, f"{stranger}/1: no version that Tandem exported"),
        (tmp_path / "nowhere", f"--model {tmp_path / 'nowhere'}: no such folder"),
        (saved_model, f"--model {saved_model}: no such folder"),
        (stranger / "1" / "variables", f"--model {stranger}/1/variables: no such folder"),
        (tmp_path, f"--model {tmp_path}: neither a version nor a folder of versions"),
    ):
        _refused(index("build", "--model", folder), said)
    assert [path.name for path in stranger.rglob("*")] == ["1", "saved_model.pb"]


def _refused(ended, said):
    status, _, errors = ended
    assert status == 2
    assert errors.startswith(f"tandem: error: {said}") and errors.count("\n") == 1
