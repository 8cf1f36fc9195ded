"""`tandem search` and its client on a real model behind a real server."""

import json
import shutil

import pytest
from rich.console import Console
from tensorflow.core.protobuf import saved_model_pb2

from pipelines.searches import show
from serving.client import Client
from serving.errors import ServingError
from serving.searches import Found, Interest, SearchAnswer


@pytest.fixture(scope="module")
def server(tandem, finished_run):
    with tandem.serving(finished_run[0] / "model") as address:
        yield address


@pytest.fixture(scope="module")
def client(server):
    with Client(server, timeout=60) as connected:
        yield connected


def _items(answer):
    return [found.item_id for found in answer.items]


def test_a_new_query_or_click_changes_the_next_answer(client):
    first = client.search("star wars", history=["50"], personal=0.5)
    assert [interest.text for interest in first.interests] == ["star wars"]
    assert "50" not in _items(first)
    assert _items(client.search("toy story", history=["50"], personal=0.5)) != _items(first)
    clicked = client.search("star wars", history=["50", _items(first)[0]], personal=0.5)
    assert _items(clicked) != _items(first)
    assert _items(first)[0] not in _items(clicked)
    assert [version.number for version in client.versions()] == [1]  # nothing was trained or exported for it


def test_titles_are_found_by_their_words(client):
    answer = client.search("toy story", k=3)
    assert "Toy Story" in answer.items[0].title
    assert answer.items[0].matched == "toy story"
    assert len(answer.items) == 3


def test_what_is_not_wanted_is_told_and_pushed_away(client):
    answer = client.search("animation, but not for children and no musical")
    assert [interest.weight < 0 for interest in answer.interests] == [False, True, True]
    unwanted = [max(found.match[1:]) for found in answer.items]
    ignored = client.search("animation")
    assert _items(ignored) != _items(answer)
    assert min(unwanted) < 1


def test_a_user_by_name_brings_a_history(client):
    assert _items(client.search("drama", user_id="1", personal=1.0)) != _items(client.search("drama"))


def test_the_command_draws_what_was_understood(tandem, server):
    output, _ = tandem("search", "space wars, and nothing sad", "--server", server, "--k=4", "--timeout=60")
    first, second, *rest = output.splitlines()
    assert first.startswith("1 ████████████████████ 1.00  space wars")
    assert second.startswith("2 not wanted")
    assert second.endswith("sad")
    assert sum("space wars" in line for line in rest) >= 1


def test_the_command_prints_json(tandem, server):
    output, _ = tandem("search", "drama", "--server", server, "--user=1", "--json", "--timeout=60")
    answer = json.loads(output)
    assert answer["interests"] == [{"text": "drama", "weight": 1.0}]
    assert set(answer["items"][0]) == {"item_id", "title", "score", "matched", "match"}
    assert len(answer["items"]) == 10


def test_the_command_says_when_there_is_nothing_to_search_for(tandem, server):
    output, _ = tandem("search", "!?", "--server", server, "--timeout=60")
    assert output.startswith("nothing to search for in these words")
    assert "rank" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--k=0"], "--k"),
        (["--personal=1.5"], "--personal"),
        (["--server=localhost:1", "--timeout=1"], "localhost:1"),
    ],
)
def test_wrong_arguments_are_told(tandem, arguments, said):
    _, errors = tandem("search", "drama", *arguments, status=2)
    assert said in errors


def test_impossible_requests_are_told(client):
    with pytest.raises(ServingError, match="k must be at least 1"):
        client.search("drama", k=0)
    with pytest.raises(ServingError, match="personal must be from 0"):
        client.search("drama", personal=2)


def test_a_model_without_search_is_told(finished_run, tmp_path, tandem):
    """A version of which only the signatures before search are left, as an older export has them."""
    folder = tmp_path / "model" / "1"
    shutil.copytree(finished_run[0] / "model" / "1", folder)
    (folder / "assets.extra" / "tf_serving_warmup_requests").unlink()
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for name in ("search", "search_as"):
        del saved.meta_graphs[0].signature_def[name]
    path.write_bytes(saved.SerializeToString())
    with tandem.serving(folder.parent) as address:
        _, errors = tandem("search", "drama", "--server", address, "--timeout=60", status=2)
    assert "this model cannot be searched" in errors


def test_brackets_in_titles_are_no_markup(capsys):
    found = Found("i1", "[REC] (2007)", 1.0, "[red]", (2.0, -1.0))
    show(SearchAnswer((Interest("[red]", 1.0), Interest("x", 0.0)), (found,)), Console(width=120))
    printed = capsys.readouterr().out
    assert "[REC] (2007)" in printed
    assert "[red]" in printed
    assert "not known" in printed


def test_an_interest_that_is_not_known_has_no_bar(capsys):
    found = Found("i1", "title", 1.0, "a", (2.0, 2.0, -1.0))
    interests = Interest("a", 1.0), Interest("zzz", 0.0), Interest("b", -1.0)
    show(SearchAnswer(interests, (found,)), Console(width=120))
    assert "│ █ ▁ │" in capsys.readouterr().out


def test_nothing_left_is_said(capsys):
    show(SearchAnswer((Interest("drama", 1.0),), ()), Console(width=120))
    assert "nothing is left to show" in capsys.readouterr().out
