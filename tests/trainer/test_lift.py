import numpy as np
import pytest

from preprocessing.config import DataConfig
from preprocessing.pipeline import preprocess
from trainer.config import ExportConfig
from trainer.dataset import new_items, read_entities
from trainer.rebuild import reindex
from trainer.version import Version

LIFT = 1.0
NEW = ["i40", "i41"]
KNOWN = [f"i{number}" for number in range(40)]
NOBODY = {"user_id": [""], "exclude": np.zeros((1, 0), object)}
SIZES = {"brute_force_below": 5, "leaves": 6, "leaves_to_search": 6}


@pytest.fixture(scope="module", params=["scann", "portable"])
def lifted(request, tmp_path_factory, model_folder, progress):
    """The same model with new items lifted, in an index of each kind."""
    version = Version.read(model_folder)
    changed = version.details.export.model_dump() | {
        "new_item_lift": LIFT,
        "index": request.param,
        "portable": SIZES,
    }
    return reindex(version, ExportConfig.model_validate(changed), tmp_path_factory.mktemp("lifted"), progress)


def _retrieved(call, items):
    answer = call("rank", user_id=[""], history=[["i1", "i3"]], candidate_id=[items])
    return dict(zip(items, answer["retrieved"][0], strict=True))


def test_what_nobody_interacted_with_is_new(lifted):
    items = Version.read(lifted).items
    assert {item for item, new in zip(items.ids, items.new, strict=True) if new} == set(NEW)


def test_new_items_score_so_much_more_and_the_others_what_they_did(lifted, signatures, load):
    before, after = (_retrieved(call, KNOWN + NEW) for call in (signatures, load(lifted)))
    assert {item: round(float(after[item] - before[item]), 4) for item in after} == {
        **dict.fromkeys(KNOWN, 0.0),
        **dict.fromkeys(NEW, LIFT),
    }


def test_the_index_finds_what_the_scores_say(lifted, load):
    call = load(lifted)
    scores = _retrieved(call, [item for item in KNOWN + NEW if item not in ("i1", "i3")])
    best = sorted(scores.values(), reverse=True)[:10]
    answer = call("retrieve", history=[["i1", "i3"]], **NOBODY)
    np.testing.assert_allclose(answer["score"][0], best, atol=1e-5)
    assert {b"i40", b"i41"} <= set(answer["item_id"][0])


def test_a_search_without_words_gives_what_retrieval_does(lifted, load):
    call = load(lifted)
    answer = call("search", query=[""], history=[["i1", "i3"]], exclude=NOBODY["exclude"])
    served = call("retrieve", history=[["i1", "i3"]], **NOBODY)
    assert answer["item_id"][0].tolist() == served["item_id"][0].tolist()
    assert {b"i40", b"i41"} <= set(answer["item_id"][0])


def test_what_only_the_validation_part_shows_is_new_until_that_is_trained_on(tmp_path):
    # Of three interactions the last tests and the one before validates.
    rows = [
        "user,item,time",
        *(f"u{user},{item},{time}" for user in "abc" for time, item in enumerate("xyz")),
    ]
    (tmp_path / "clicks.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    columns = {
        "user_id": {"kind": "id", "source": "user"},
        "item_id": {"kind": "id", "source": "item"},
        "time": {"kind": "time"},
    }
    config = DataConfig.model_validate({"interactions": {"path": "clicks.csv", "columns": columns}})
    schema = preprocess(config, "three", tmp_path, tmp_path / "examples")
    items = read_entities(tmp_path / "examples", schema, "items")

    def new(refitted):
        found = new_items(tmp_path / "examples", schema, items, refitted)
        return {item for item, is_new in zip(items.ids, found, strict=True) if is_new}

    assert (new(False), new(True)) == ({"y", "z"}, {"z"})
