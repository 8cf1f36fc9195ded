import pytest

from serving.errors import Code, ServingError
from serving.models import labels
from serving.models.labels import Unavailable
from serving.settings.model_configs import ModelConfig

LOADED = {"m": {1, 2}}


def assign(wanted, current=None, unavailable=Unavailable.NONE):
    config = ModelConfig("m", "/m", labels=wanted)
    return labels.assign([config], {"m": current or {}}, lambda name: LOADED[name], unavailable)


def test_labels_move_between_versions_that_are_loaded():
    moved = assign({"stable": 2, "canary": 1}, current={"stable": 1})
    assert labels.resolve(moved, "m", "stable") == 2
    assert labels.resolve(moved, "m", "canary") == 1


def test_a_label_that_is_left_out_is_gone():
    with pytest.raises(ServingError, match=r"^Unrecognized servable version label: stable$"):
        labels.resolve(assign({}, current={"stable": 1}), "m", "stable")


@pytest.mark.parametrize("current", [{}, {"stable": 1}])
def test_a_label_of_a_version_that_is_not_loaded_is_refused(current):
    with pytest.raises(ServingError) as caught:
        assign({"stable": 3}, current)
    assert caught.value.code == Code.FAILED_PRECONDITION
    assert str(caught.value) == (
        "Request to assign label to version 3 of model m, which is not currently available for inference"
    )


def test_unused_labels_may_wait_for_their_version_where_that_is_allowed():
    assert assign({"stable": 3}, unavailable=Unavailable.UNUSED) == {"m": {"stable": 3}}
    assert assign({"stable": 3}, current={"stable": 3}, unavailable=Unavailable.UNUSED) == {
        "m": {"stable": 3}
    }
    with pytest.raises(ServingError, match="version 3 of model m"):
        assign({"stable": 3}, current={"stable": 1}, unavailable=Unavailable.UNUSED)


def test_any_label_may_wait_for_its_version_where_that_is_forced():
    moved = assign({"stable": 3}, current={"stable": 1}, unavailable=Unavailable.ANY)
    assert labels.resolve(moved, "m", "stable") == 3
