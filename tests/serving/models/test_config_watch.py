"""A config file that changes while the server runs."""

import grpc
import pytest

from tests.serving.models.conftest import config_text, not_found, status_of

END = 50


def test_a_config_file_is_watched(connect, folders, tmp_path, eventually, caplog):
    config = tmp_path / "models.config"
    model = f'name: "a" base_path: "{folders}/a" model_version_policy {{ all {{ }} }}'
    config.write_text(config_text(model))
    caller = connect(model_config_file=str(config), model_config_file_poll_wait_seconds=0.05)

    def put(text):
        (tmp_path / "next").write_text(text)
        (tmp_path / "next").rename(config)

    put("model_config_list { nonsense }")
    eventually(lambda: "Invalid protobuf file" in caplog.text, "the broken file is told")
    assert caller.version("a") == 3
    label = 'version_labels { key: "stable" value: 2 }'
    put(config_text(f"{model} {label}", f'name: "b" base_path: "{folders}/b"'))
    eventually(lambda: caller.states("a") and _answers(caller, "b"), "the new model answers")
    assert caller.version("a", label="stable") == 2


@pytest.mark.parametrize("text", ["", "# nothing but a comment", "\n"])
def test_an_emptied_config_file_takes_no_model_away(connect, folders, tmp_path, eventually, caplog, text):
    config = tmp_path / "models.config"
    config.write_text(config_text(f'name: "a" base_path: "{folders}/a"'))
    caller = connect(model_config_file=str(config), model_config_file_poll_wait_seconds=0.05)
    config.write_text(text)
    refusal = "It is only legal to transition from one ModelConfigList to another."
    eventually(lambda: refusal in caplog.text, "the empty file is told")
    assert caller.version("a") == 3
    config.write_text("model_config_list { }")  # that one does say that there is no model
    eventually(lambda: not _answers(caller, "a"), "the model is taken away")
    assert caplog.text.count(refusal) == 1


def test_a_config_file_may_be_empty_at_the_start(connect, folders, tmp_path, eventually, caplog):
    config = tmp_path / "models.config"
    config.write_text("")
    caller = connect(model_config_file=str(config), model_config_file_poll_wait_seconds=0.05)
    assert status_of(caller.version, "a") == not_found("Latest(a)")
    config.write_text(config_text(f'name: "a" base_path: "{folders}/a"'))
    eventually(lambda: _answers(caller, "a"), "the model answers")
    assert "Could not take the config" not in caplog.text


def test_a_watched_file_wins_over_a_reload(connect, folders, tmp_path, eventually):
    config = tmp_path / "models.config"
    config.write_text(config_text(f'name: "a" base_path: "{folders}/a"'))
    caller = connect(model_config_file=str(config), model_config_file_poll_wait_seconds=0.05)
    caller.reload({"name": "b", "base_path": folders / "b"})
    eventually(lambda: _answers(caller, "a"), "the model of the file answers again")
    eventually(lambda: caller.states("b") == {7: END}, "the other is taken away")
    assert caller.version("a") == 3


def test_a_label_in_a_watched_file_waits_for_its_version(
    connect, half_plus_two, publish, tmp_path, eventually, caplog
):
    base_path, config = tmp_path / "m", tmp_path / "models.config"
    base_path.mkdir()
    publish(half_plus_two, base_path, 1)
    model = f'name: "m" base_path: "{base_path}" model_version_policy {{ all {{ }} }}'
    config.write_text(config_text(model))
    caller = connect(model_config_file=str(config), model_config_file_poll_wait_seconds=0.05)
    (tmp_path / "next").write_text(config_text(f'{model} version_labels {{ key: "stable" value: 2 }}'))
    (tmp_path / "next").rename(config)
    eventually(lambda: "assign label to version 2" in caplog.text, "the label has to wait")
    publish(half_plus_two, base_path, 2)
    eventually(lambda: _answers(caller, "m", label="stable"), "the label means the new version")
    assert caller.version("m", label="stable") == 2


def _answers(caller, name, **choice) -> bool:
    try:
        return bool(caller.version(name, **choice))
    except grpc.RpcError:
        return False
