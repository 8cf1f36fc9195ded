"""Several models, their labels, and configs that are sent while the server runs."""

import shutil
from concurrent import futures

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2

from serving.errors import Code, ServingError
from tests.serving.models.conftest import Caller, config_text, not_found, status_of

DEADLINE = 60
AVAILABLE, END = 30, 50
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def test_a_config_file_names_models_and_policies(connect, folders, tmp_path):
    config = tmp_path / "models.config"
    config.write_text(
        config_text(
            f'name: "latest" base_path: "{folders}/a"',
            f'name: "two" base_path: "{folders}/a" model_version_policy {{ latest {{ num_versions: 2 }} }}',
            f'name: "all" base_path: "{folders}/a" model_version_policy {{ all {{ }} }}',
            f'name: "one" base_path: "{folders}/a" model_version_policy {{ specific {{ versions: 1 }} }}',
            f'name: "b" base_path: "{folders}/b"',
        )
    )
    caller = connect(model_config_file=str(config))
    names = ("latest", "two", "all", "one", "b")
    assert [caller.version(name) for name in names] == [3, 3, 3, 1, 7]
    assert [set(caller.states(name)) for name in names] == [{3}, {2, 3}, {1, 2, 3}, {1}, {7}]
    assert caller.version("all", version=2) == 2
    assert status_of(caller.version, "latest", version=2) == not_found("Specific(latest, 2)")
    assert status_of(caller.version, "a") == not_found("Latest(a)")


def test_a_reload_adds_and_takes_away_models(connect, folders):
    caller = connect(folders / "a", model_name="a")
    caller.reload({"name": "a", "base_path": folders / "a"}, {"name": "b", "base_path": folders / "b"})
    assert (caller.version("a"), caller.version("b")) == (3, 7)
    caller.reload({"name": "b", "base_path": folders / "b"})
    assert status_of(caller.version, "a") == not_found("Latest(a)")
    assert caller.version("b") == 7
    caller.reload({"name": "a", "base_path": folders / "a"})
    assert caller.version("a") == 3
    assert status_of(caller.version, "b") == not_found("Latest(b)")


def test_what_was_taken_away_can_be_told(connect, folders, eventually):
    caller = connect(folders / "a", model_name="a")
    caller.reload({"name": "b", "base_path": folders / "b"})
    eventually(lambda: caller.states("a") == {3: END}, "the version that was taken away has ended")


def test_a_reload_changes_policies(connect, folders, eventually):
    caller = connect(folders / "a", model_name="a")
    caller.reload({"name": "a", "base_path": folders / "a", "versions": [1, 2]})
    eventually(lambda: caller.states("a") == {1: AVAILABLE, 2: AVAILABLE, 3: END}, "the policy has acted")
    assert caller.version("a") == 2


def test_labels_move_only_to_versions_that_are_there(connect, folders):
    caller = connect(folders / "a", model_name="a")
    model = {"name": "a", "base_path": folders / "a", "versions": [1, 3]}
    caller.reload(dict(model))
    caller.reload(model | {"labels": {"stable": 1, "canary": 3}})
    assert (caller.version("a", label="stable"), caller.version("a", label="canary")) == (1, 3)
    caller.reload(model | {"labels": {"stable": 3}})
    assert caller.version("a", label="stable") == 3
    unknown = grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: canary"
    assert status_of(caller.version, "a", label="canary") == unknown
    refused = (
        grpc.StatusCode.FAILED_PRECONDITION,
        "Request to assign label to version 2 of model a, which is not currently available for inference",
    )
    assert status_of(caller.reload, model | {"labels": {"stable": 2}}) == refused
    assert caller.version("a", label="stable") == 3


def test_labels_at_the_start_need_the_flag_that_allows_them(serve, connect, folders, tmp_path):
    config = tmp_path / "models.config"
    label = 'version_labels { key: "stable" value: 3 }'
    config.write_text(config_text(f'name: "a" base_path: "{folders}/a" {label}'))
    with pytest.raises(ServingError, match="Request to assign label to version 3") as caught:
        serve(model_config_file=str(config))
    assert caught.value.code == Code.FAILED_PRECONDITION
    caller = connect(model_config_file=str(config), allow_version_labels_for_unavailable_models=True)
    assert caller.version("a", label="stable") == 3
    model = {"name": "a", "base_path": folders / "a"}
    caller.reload(model | {"labels": {"stable": 3, "next": 4}})
    assert status_of(caller.version, "a", label="next") == not_found("Specific(a, 4)")
    assert status_of(caller.reload, model | {"labels": {"stable": 4}})[0] == FAILED_PRECONDITION
    forced = connect(
        model_config_file=str(config), force_allow_any_version_labels_for_unavailable_models=True
    )
    forced.reload(model | {"labels": {"stable": 4}})
    assert status_of(forced.version, "a", label="stable") == not_found("Specific(a, 4)")


def test_a_reload_that_cannot_be_followed_changes_nothing(connect, folders, tmp_path):
    caller = connect(folders / "a", model_name="a")
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    twice = {"name": "a", "base_path": folders / "a"}
    message = "Illegal to list model a multiple times in config list"
    assert status_of(caller.reload, dict(twice), dict(twice)) == (invalid, message)
    with pytest.raises(grpc.RpcError) as caught:
        caller._models.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=DEADLINE)
    assert caught.value.details() == (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported"
    )
    assert caller.version("a") == 3


def test_a_new_model_that_cannot_be_loaded_is_told_and_the_others_serve(
    connect, folders, break_version, tmp_path
):
    caller = connect(folders / "a", model_name="a")
    break_version(tmp_path, 1)
    models = [
        {"name": "broken", "base_path": tmp_path},
        {"name": "a", "base_path": folders / "a"},
        {"name": "b", "base_path": folders / "b"},
    ]
    code, message = status_of(caller.reload, *models)
    assert code == grpc.StatusCode.UNKNOWN
    assert message.startswith(
        "1 model(s) did not become available: {{{name: broken version: 1} due to error:"
    )
    assert (caller.version("a"), caller.version("b")) == (3, 7)
    code, message = status_of(caller.reload, {"name": "lost", "base_path": tmp_path / "nope"})
    assert (code, message.partition(":")[0]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        f"Could not find base path {tmp_path}/nope",
    )


def test_a_reload_waits_for_new_models_only(connect, folders, half_plus_two, publish, tmp_path, eventually):
    publish(half_plus_two, tmp_path, 1)
    caller = connect(folders / "a", model_name="a")
    models = [{"name": name, "base_path": folders / name} for name in ("a", "b")]
    old = {"name": "old", "base_path": tmp_path}
    caller.reload(models[0], old)
    caller.reload(models[0], old | {"versions": [2]})  # which is not there
    shutil.rmtree(tmp_path / "1")
    caller.reload(*models, old)
    assert (caller.version("a"), caller.version("b")) == (3, 7)
    caller.reload(*models, old | {"base_path": tmp_path / "nowhere"})
    assert (caller.version("a"), caller.version("b")) == (3, 7)


def test_a_version_may_be_a_time_in_nanoseconds(connect, half_plus_two, publish, tmp_path):
    version = 1_795_392_000_123_456_789
    publish(half_plus_two, tmp_path, version)
    caller = connect(tmp_path, model_name="a")
    assert caller.version("a") == caller.version("a", version=version) == version


def start_without_versions(serve, base_path, policy, **options):
    config = base_path / "models.config"
    config.write_text(config_text(f'name: "a" base_path: "{base_path}" {policy}'))
    return serve(model_config_file=str(config), **options)


NINE = "model_version_policy { specific { versions: 9 } }"


@pytest.mark.parametrize(
    ("policy", "message"), [("", "no model version in"), (NINE, "the version policy takes none of .*: 1$")]
)
def test_a_start_that_looks_once_and_finds_no_version_is_refused(
    serve, half_plus_two, publish, tmp_path, policy, message
):
    if policy:
        publish(half_plus_two, tmp_path, 1)
    with pytest.raises(ServingError, match=message):
        start_without_versions(serve, tmp_path, policy, file_system_poll_wait_seconds=0)


@pytest.mark.parametrize(("policy", "version"), [("", 1), (NINE, 9)])
def test_a_start_waits_for_a_version(
    serve, half_plus_two, publish, tmp_path, eventually, caplog, policy, version
):
    caplog.set_level("WARNING")
    if policy:
        publish(half_plus_two, tmp_path, 1)
    with futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(start_without_versions, serve, tmp_path, policy)
        eventually(lambda: "Waiting for a version of a" in caplog.text, "it is told what is missing")
        assert not starting.done()
        (tmp_path / str(version)).mkdir()  # not whole yet
        publish_into(half_plus_two, tmp_path / str(version))
        server = starting.result(timeout=DEADLINE)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        assert Caller(channel).version("a") == version


def publish_into(model, folder):
    """Copies a version as no exporter should: piece by piece, the graph last."""
    shutil.copytree(model / "variables", folder / "variables")
    shutil.copy(model / "saved_model.pb", folder / "saved_model.pb")


def test_a_start_waits_for_a_base_path(serve, half_plus_two, publish, tmp_path, eventually, caplog):
    caplog.set_level("WARNING")
    with futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(serve, tmp_path / "later")
        eventually(lambda: "Could not find base path" in caplog.text, "it is told what is missing")
        (tmp_path / "later").mkdir()
        publish(half_plus_two, tmp_path / "later", 1)
        assert starting.result(timeout=DEADLINE).port


def test_a_start_with_one_good_version_of_several_serves_it(
    connect, half_plus_two, publish, break_version, tmp_path
):
    publish(half_plus_two, tmp_path, 1)
    break_version(tmp_path, 2)
    config = tmp_path / "models.config"
    policy = "model_version_policy { all { } }"
    config.write_text(config_text(f'name: "a" base_path: "{tmp_path}" {policy}'))
    caller = connect(model_config_file=str(config))
    assert caller.states("a") == {2: END, 1: AVAILABLE}
    assert caller.version("a") == 1


def test_models_of_every_kind_stand_side_by_side(
    connect, half_plus_two, tf1_half_plus_three, tiny_tandem, publish, tmp_path
):
    models = {"two": half_plus_two, "three": tf1_half_plus_three, "tandem": tiny_tandem}
    for name, model in models.items():
        (tmp_path / name).mkdir()
        publish(model, tmp_path / name, 1)
    config = tmp_path / "models.config"
    config.write_text(config_text(*(f'name: "{name}" base_path: "{tmp_path}/{name}"' for name in models)))
    caller = connect(model_config_file=str(config))
    assert caller.outputs("two", x=[1.0, 2.0]) == {"y": [2.5, 3.0]}
    assert caller.outputs("three", x=[1.0, 2.0]) == {"y": [3.5, 4.0]}
    answer = caller.outputs("tandem", user_id=["196"], history=[["50"]], exclude=[["181"]])
    assert answer["item_id"] == [[b"258", b"100", b"286", b"", b""]]


def test_a_folder_without_a_graph_is_reported_and_the_old_version_serves(
    connect, half_plus_two, publish, tmp_path, eventually
):
    publish(half_plus_two, tmp_path, 1)
    caller = connect(tmp_path, model_name="a")
    (tmp_path / "2").mkdir()
    eventually(lambda: caller.states("a") == {2: END, 1: AVAILABLE}, "the empty folder is reported")
    assert caller.status("a", 2) == (
        5,
        f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {tmp_path}/2",
    )
    assert caller.version("a") == 1
    publish_into(half_plus_two, tmp_path / "2")
    eventually(lambda: caller.states("a") == {2: AVAILABLE, 1: END}, "it serves as soon as it is whole")
