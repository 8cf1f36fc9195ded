"""Config files in text format: which models, versions and labels."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.errors import Code, ServingError
from serving.settings import config_files, config_protos, model_configs

ONE = 'name: "a" base_path: "/m/a" model_platform: "tensorflow"'


def parse(*models):
    text = "model_config_list { " + " ".join(f"config {{ {model} }}" for model in models) + " }"
    return model_configs.from_proto(text_format.Parse(text, model_server_config_pb2.ModelServerConfig()))


def test_models_are_read_with_their_labels():
    first, second = parse(
        f'{ONE} version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "canary" value: 2 }}',
        'name: "b" base_path: "gs://m/b" model_type: TENSORFLOW',
    )
    assert (first.name, first.base_path, first.labels) == ("a", "/m/a", {"stable": 1, "canary": 2})
    assert (second.name, second.base_path, second.labels) == ("b", "gs://m/b", {})


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", {4}),
        ("model_version_policy { latest { } }", {4}),
        ("model_version_policy { latest { num_versions: 2 } }", {3, 4}),
        ("model_version_policy { all { } }", {1, 3, 4}),
        ("model_version_policy { specific { versions: 1 versions: 2 } }", {1}),
    ],
)
def test_policies_choose_versions(policy, served):
    [config] = parse(f"{ONE} {policy}")
    assert config.policy([1, 3, 4]) == served


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([ONE, ONE], "Illegal to list model a multiple times in config list"),
        (
            ['name: "a" base_path: "m/a" model_platform: "tensorflow"'],
            "Expected model a to have an absolute path or URI; got base_path()=m/a",
        ),
        (
            ['name: "a" base_path: "/m"'],
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform.",
        ),
        (
            [f"{ONE} model_type: TENSORFLOW"],
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform.",
        ),
        (
            ['name: "a" base_path: "/m" model_platform: "caffe"'],
            "Model a requests unsupported platform caffe",
        ),
        (
            ['name: "a" base_path: "/m" model_type: OTHER'],
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
    ],
)
def test_refuses_in_tensorflow_servings_words(models, message):
    with pytest.raises(ServingError) as caught:
        parse(*models)
    assert str(caught.value) == message


def test_custom_configs_and_logging_are_not_there(caplog):
    caplog.set_level("WARNING")
    custom = text_format.Parse("custom_model_config { }", model_server_config_pb2.ModelServerConfig())
    with pytest.raises(ServingError, match="does not yet support custom model config"):
        model_configs.from_proto(custom)
    parse(f"{ONE} logging_config {{ }}")
    assert "logging_config of model a has no effect here" in caplog.text


def test_a_missing_config_file_is_not_found(tmp_path):
    with pytest.raises(ServingError) as caught:
        config_files.read(str(tmp_path / "nope"), config_protos.SSLConfig())
    assert caught.value.code == Code.NOT_FOUND
    assert str(tmp_path / "nope") in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"server_keys: 'a'", b"server_key: ", b"\xff\xfe", b"server_key: '\\377'"]
)
def test_a_file_that_holds_something_else_is_told_with_its_path(tmp_path, content):
    (tmp_path / "ssl.txt").write_bytes(content)
    with pytest.raises(ServingError, match=f"^Invalid protobuf file: '{tmp_path}/ssl.txt' "):
        config_files.read(str(tmp_path / "ssl.txt"), config_protos.SSLConfig())


def test_messages_that_the_pip_package_lacks_are_read(tmp_path):
    (tmp_path / "monitoring.txt").write_text('prometheus_config { enable: true, path: "/metrics" }')
    config = config_files.read(str(tmp_path / "monitoring.txt"), config_protos.MonitoringConfig())
    assert (config.prometheus_config.enable, config.prometheus_config.path) == (True, "/metrics")
