import pytest

from serving.errors import Code, ServingError
from serving.models import versions
from serving.models.saved_model import LoadedModel
from serving.models.servables import Model, Retries, State, VersionStatus
from serving.monitoring.events import Events, LoadDone
from serving.settings.model_configs import ModelConfig


def at_once(free) -> None:
    free()


def make_model(base_path, load=LoadedModel, retries=5, dispose=at_once, events=None, **config) -> Model:
    config = ModelConfig("m", str(base_path), **config)
    return Model(config, load, Retries(retries, interval_s=0), dispose, events or Events())


@pytest.fixture
def model(tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 1)
    model = make_model(tmp_path)
    model.refresh()
    yield model
    model.close()


def states(model) -> dict[int, State]:
    return {status.version: status.state for status in model.statuses()}


def answers(servable) -> bool:
    return servable.model.predict("", {"x": [2.0]})["y"].tolist() == [3.0]


def test_the_newest_version_takes_over(model, tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 2)
    model.refresh()
    assert states(model) == {2: State.AVAILABLE, 1: State.END}
    with model.acquire() as servable:
        assert servable.version == 2
        assert answers(servable)


def test_version_0_is_the_latest_unless_there_is_one(model, tmp_path, half_plus_two, publish):
    with model.acquire(0) as servable:
        assert servable.version == 1
    publish(half_plus_two, tmp_path, 0)
    model.reconfigure(ModelConfig("m", str(tmp_path), versions.every))
    model.refresh()
    with model.acquire(0) as servable:
        assert servable.version == 0
    model.retire()
    with pytest.raises(ServingError, match=r"^Servable not found for request: Specific\(m, 0\)$"):
        model.acquire(0)


def test_a_version_is_freed_elsewhere_than_in_the_request_that_was_its_last(tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 1)
    freed = []
    model = make_model(tmp_path, dispose=freed.append)
    model.refresh()
    with model.acquire():
        publish(half_plus_two, tmp_path, 2)
        model.refresh()
        assert not freed
    assert states(model) == {2: State.AVAILABLE, 1: State.UNLOADING}
    [free] = freed
    free()
    assert states(model) == {2: State.AVAILABLE, 1: State.END}
    model.close()


def test_every_try_to_load_is_told(tmp_path, half_plus_two, publish, break_version):
    publish(half_plus_two, tmp_path, 1)
    events, told = Events(), []
    events.subscribe(told.append)
    model = make_model(tmp_path, events=events)
    model.refresh()
    break_version(tmp_path, 2)
    model.refresh()
    model.close()
    assert all(isinstance(each, LoadDone) and each.model_name == "m" for each in told)
    good, bad = told
    assert (good.version, good.path, good.code) == (1, f"{tmp_path}/1", Code.OK)
    assert bad.version == 2
    assert bad.code != Code.OK


def test_a_retired_model_loads_nothing_until_it_is_configured_again(model, tmp_path):
    model.retire()
    model.refresh()
    assert states(model) == {1: State.END}
    model.reconfigure(ModelConfig("m", str(tmp_path)))
    model.refresh()
    assert states(model) == {1: State.AVAILABLE}


def test_a_request_in_flight_keeps_its_version_open(model, tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 2)
    with model.acquire() as old:
        model.refresh()
        assert states(model) == {2: State.AVAILABLE, 1: State.UNLOADING}
        assert answers(old)
    assert states(model) == {2: State.AVAILABLE, 1: State.END}


def test_a_broken_version_is_reported_and_the_old_one_keeps_serving(model, tmp_path, break_version):
    break_version(tmp_path, 2)
    model.refresh()
    failed, serving = model.statuses()
    assert (failed.version, failed.state) == (2, State.END)
    assert failed.code != Code.OK
    assert failed.message
    assert serving == VersionStatus(1, State.AVAILABLE)
    with model.acquire() as servable:
        assert answers(servable)


def test_a_version_that_was_copied_slowly_is_tried_again(
    model, tmp_path, half_plus_two, publish, break_version
):
    break_version(tmp_path, 2)
    model.refresh()
    for name in ("variables", "saved_model.pb"):
        source, target = half_plus_two / name, tmp_path / "2" / name
        source_files = source.iterdir() if source.is_dir() else [source]
        for file in source_files:
            place = target / file.name if source.is_dir() else target
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(file.read_bytes())
    model.refresh()
    assert states(model) == {2: State.AVAILABLE, 1: State.END}


def test_a_broken_version_is_given_up_after_the_retries(tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 1)
    tries = []

    def load(folder):
        tries.append(folder)
        raise ServingError("no")

    model = make_model(tmp_path, load, retries=2)
    for _ in range(5):
        model.refresh()
    assert len(tries) == 3


def test_the_older_version_comes_back_when_the_newest_is_taken_away(model, tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 2)
    model.refresh()
    (tmp_path / "2").rename(tmp_path / ".withdrawn")
    model.refresh()
    assert states(model) == {2: State.END, 1: State.AVAILABLE}


def test_a_base_path_that_vanishes_changes_nothing(model, tmp_path):
    moved = tmp_path.with_name("moved")
    tmp_path.rename(moved)
    with pytest.raises(ServingError, match="Could not find base path"):
        model.refresh()
    with model.acquire() as servable:
        assert answers(servable)
    moved.rename(tmp_path)


def test_a_policy_of_several_versions_serves_each(tmp_path, half_plus_two, publish):
    for version in (1, 2, 3):
        publish(half_plus_two, tmp_path, version)
    model = make_model(tmp_path, policy=versions.Specific(frozenset([1, 2, 9])))
    model.refresh()
    assert states(model) == {2: State.AVAILABLE, 1: State.AVAILABLE}
    with model.acquire(1) as servable:
        assert servable.version == 1
    with pytest.raises(ServingError, match=r"^Servable not found for request: Specific\(m, 3\)$"):
        model.acquire(3)
    model.close()


def test_a_version_that_comes_back_while_a_request_holds_it_is_available(
    model, tmp_path, half_plus_two, publish
):
    publish(half_plus_two, tmp_path, 2)
    with model.acquire():
        model.refresh()
        model.reconfigure(ModelConfig("m", str(tmp_path), versions.every))
        model.refresh()
        assert states(model) == {2: State.AVAILABLE, 1: State.AVAILABLE}
    assert states(model) == {2: State.AVAILABLE, 1: State.AVAILABLE}
    with model.acquire(1) as servable:
        assert answers(servable)


def test_a_version_that_cannot_be_made_ready_is_freed(tmp_path, half_plus_two, publish):
    publish(half_plus_two, tmp_path, 1)
    closed = []

    class Unready(LoadedModel):
        def prepare(self, calls):
            raise MemoryError

        def close(self):
            closed.append(self)
            super().close()

    model = make_model(tmp_path, Unready)
    model.refresh()
    [status] = model.statuses()
    assert (status.state, status.code) == (State.END, Code.INTERNAL)
    assert len(closed) == 1


def test_a_folder_without_a_graph_counts_only_while_another_version_serves(tmp_path, half_plus_two, publish):
    (tmp_path / "2").mkdir()
    model = make_model(tmp_path)
    model.refresh()
    assert not model.statuses()
    publish(half_plus_two, tmp_path, 1)
    model.refresh()
    assert states(model) == {1: State.AVAILABLE}
    model.refresh()
    failed, serving = model.statuses()
    assert (failed.version, failed.state, failed.code) == (2, State.END, Code.NOT_FOUND)
    assert serving == VersionStatus(1, State.AVAILABLE)
    model.close()


def test_why_a_model_is_missing(tmp_path, half_plus_two, publish):
    assert "no model version in" in str(make_model(tmp_path).why_missing())
    publish(half_plus_two, tmp_path, 1)
    never = make_model(tmp_path, policy=versions.Specific(frozenset([9])))
    assert str(never.why_missing()) == f"the version policy takes none of the versions in {tmp_path}: 1"
    never.retire()
    assert str(never.why_missing()) == "Servable not found for request: Latest(m)"
