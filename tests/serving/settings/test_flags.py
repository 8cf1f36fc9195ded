"""The command line, read as `tensorflow_model_server` reads it."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from serving.errors import Code, ServingError
from serving.settings import flags
from serving.settings.options import ServerOptions

BASE = "--model_base_path=/models/m"


def test_flags_have_tensorflow_servings_names_and_defaults():
    options = flags.parse([BASE])
    assert options == ServerOptions(model_base_path="/models/m")
    assert (options.model_name, options.port, options.rest_api_port) == ("default", 8500, 0)
    assert options.rest_api_timeout_in_ms == 30_000
    assert (options.max_num_load_retries, options.load_retry_interval_micros) == (5, 60_000_000)
    assert options.enable_model_warmup and not options.enable_batching


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--enable_batching", "enable_batching", True),
        ("--enable_batching=true", "enable_batching", True),
        ("--enable_batching=True", "enable_batching", True),
        ("--enable_batching=1", "enable_batching", True),
        ("--enable_model_warmup=false", "enable_model_warmup", False),
        ("--enable_model_warmup=0", "enable_model_warmup", False),
        ("--port=9000", "port", 9000),
        ("--load_retry_interval_micros=-1", "load_retry_interval_micros", -1),
        ("--grpc_channel_arguments=a=1,b=2", "grpc_channel_arguments", "a=1,b=2"),
        ("--model_name=", "model_name", ""),
        ("--per_process_gpu_memory_fraction=0.25", "per_process_gpu_memory_fraction", 0.25),
    ],
)
def test_values_are_read(argument, name, value):
    assert getattr(flags.parse([BASE, argument]), name) == value


def test_the_last_of_a_flag_counts():
    assert flags.parse([BASE, "--port=1", "--port=2"]).port == 2


@pytest.mark.parametrize(
    "argument",
    ["--nonsense", "--nonsense=1", "port=1", "8500", "--port", "-port=1", "--", "--rest-api-port=1"],
)
def test_an_unknown_argument_is_told(argument):
    with pytest.raises(flags.FlagError, match=f"^unknown argument: {argument}$"):
        flags.parse([BASE, argument])


NOT_HERE = [
    ("enable_per_model_batching_parameters", "false", "true"),
    ("mixed_precision", "", "bfloat16"),
    ("platform_config_file", "", "/platforms"),
    ("prefer_tflite_model", "0", "1"),
    ("use_alts_credentials", "False", "True"),
]


@pytest.mark.parametrize(("name", "default", "other"), NOT_HERE)
def test_flags_of_the_other_server_alone_may_have_their_defaults(name, default, other):
    assert flags.parse([BASE, f"--{name}={default}"]) == flags.parse([BASE])
    with pytest.raises(ServingError, match=f"--{name} is a flag of tensorflow_model_server alone") as caught:
        flags.parse([BASE, f"--{name}={other}"])
    assert caught.value.code == Code.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "eighty"),
        ("port", ""),
        ("port", "8500.0"),
        ("port", "9" * 30),
        ("enable_batching", "maybe"),
        ("per_process_gpu_memory_fraction", "nan"),
    ],
)
def test_a_value_that_is_none_is_told(name, value):
    with pytest.raises(flags.FlagError, match=f"^Couldn't interpret value {value} for flag {name}.$"):
        flags.parse([BASE, f"--{name}={value}"])


@pytest.mark.parametrize("argument", ["--flush_filesystem_caches=false", "--num_load_threads=4"])
def test_what_only_tunes_the_other_server_is_taken_and_said_to_do_nothing(argument, caplog):
    caplog.set_level("WARNING")
    assert flags.parse([BASE, argument]) == flags.parse([BASE])
    assert f"{argument.partition('=')[0]} has no effect here" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Both server_options.model_base_path and server_options.model_config_file are empty!"),
        (
            [BASE, "--batching_parameters_file=b"],
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true.",
        ),
        (
            [
                BASE,
                "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1",
                "--tensorflow_inter_op_parallelism=1",
            ],
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all.",
        ),
        (
            [BASE, "--tensorflow_inter_op_parallelism=-2"],
            "tensorflow_inter_op_parallelism must be at least -1, not -2",
        ),
        ([BASE, "--port=70000"], "port must be from 0 to 65535, not 70000"),
        ([BASE, "--grpc_max_threads=-1"], "grpc_max_threads must be at least 0, not -1"),
        (
            [BASE, "--per_process_gpu_memory_fraction=2"],
            "per_process_gpu_memory_fraction must be from 0 to 1, not 2.0",
        ),
    ],
)
def test_contradictions_are_refused(arguments, message):
    with pytest.raises(ServingError) as caught:
        flags.parse(arguments)
    assert (str(caught.value), caught.value.code) == (message, Code.INVALID_ARGUMENT)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [([], False), (["--version"], True), (["--version=1"], True), (["--version", "--version=false"], False)],
)
def test_the_version_is_asked_for(arguments, asked):
    assert flags.asks_for_version(arguments) == asked
    assert flags.parse([BASE, *arguments]) == flags.parse([BASE])


def test_the_version_is_asked_for_by_yes_or_no():
    with pytest.raises(flags.FlagError, match=r"^Couldn't interpret value 2 for flag version\.$"):
        flags.asks_for_version(["--version=2"])


def test_the_usage_tells_every_flag_with_its_default():
    usage = flags.usage("tandem serve")
    for part in ("usage: tandem serve", "--port=8500", "--enable_batching=false", '--model_config_file=""'):
        assert part in usage


def test_the_documentation_tells_every_flag_with_its_default():
    page = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(\w+)` \| `(.*)` \| \S.* \|$", page, re.MULTILINE))
    told = {field.name: json.dumps(field.default) for field in dataclasses.fields(ServerOptions)}
    assert shown == told | {"version": "false"}
