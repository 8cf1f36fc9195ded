"""`tandem index` on a real model, with a real server beside it."""

import json
import re
import shutil
import signal
import time

import pytest

from serving.client import Client


@pytest.fixture
def model(finished_run, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(finished_run[0] / "model" / "1", folder / "1")
    return folder


@pytest.fixture
def server(tandem, model):
    process = tandem.start(
        "serve", f"--model_base_path={model}", "--port=0", "--file_system_poll_wait_seconds=1"
    )
    ready = re.search(r"Running gRPC ModelServer at [^:]+:(\d+)", process.stdout.readline())
    assert ready, process.stderr.read()
    yield f"localhost:{ready[1]}"
    process.send_signal(signal.SIGTERM)
    process.communicate()


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


def test_another_index_gives_the_next_version(tandem, model):
    output, _ = tandem("index", "build", "--model", model, "--index", "portable", "--leaves", "9")
    assert "portable index: " in output
    details = json.loads((model / "2" / "assets.extra" / "tandem.json").read_text())
    assert details["export"]["index"] == "portable" and details["export"]["portable"]["leaves"] == 9


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            ['{"item_id": "50", "movie_title": "Star Wars"}'],
            "{file}:1: item_id: the catalogue already has '50'",
        ),
        (
            ['{"item_id": "new", "movie_title": "x"}', '{"item_id": "b", "titel": "x"}'],
            "{file}:2: unknown column 'titel'; the model's columns are: item_id, ",
        ),
        ([], "{file}: no row; JSON objects are needed, one a line"),
        (None, "{file}: No such file"),
    ],
)
def test_items_that_cannot_be_added_are_refused_in_one_line(tandem, model, tmp_path, rows, said):
    file = tmp_path / "new.jsonl"
    if rows is not None:
        file.write_text("".join(f"{row}\n" for row in rows))
    _, errors = tandem("index", "add", "--model", model, "--items", file, status=2)
    assert errors.startswith("tandem: error: " + said.format(file=file)) and errors.count("\n") == 1
    assert [path.name for path in model.iterdir()] == ["1"]


def test_a_setting_that_the_index_does_not_have_is_refused(tandem, model):
    _, errors = tandem("index", "build", "--model", model, "--index", "portable", "--reorder", "5", status=2)
    assert "portable.reorder: unknown key" in errors and errors.count("\n") == 1
    assert [path.name for path in model.iterdir()] == ["1"]


def test_what_is_no_model_of_tandem_is_refused(tandem, tmp_path):
    stranger = tmp_path / "stranger"
    (stranger / "1").mkdir(parents=True)
    (stranger / "1" / "saved_model.pb").touch()
    for folder, said in (
        (stranger, f"{stranger}/1: no version that Tandem exported"),
        (tmp_path / "empty", f"--model {tmp_path / 'empty'}: no such folder"),
        (stranger / "1" / "saved_model.pb", "no such folder"),
    ):
        _, errors = tandem("index", "build", "--model", folder, status=2)
        assert said in errors and errors.count("\n") == 1
    assert [path.name for path in stranger.rglob("*")] == ["1", "saved_model.pb"]
