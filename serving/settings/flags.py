"""Reads a command line as `tensorflow_model_server` does: `--name=value`, or `--name` to turn it on."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import textwrap
from collections.abc import Iterable
from typing import Any

from serving.errors import Code, ServingError
from serving.settings.options import ServerOptions

log = logging.getLogger(__name__)

_FIELDS = {field.name: field for field in dataclasses.fields(ServerOptions)}
_INT64 = 2**63
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_VERSION = "--version"

# What tunes the C++ server and cannot change an answer: taken, so that its command lines work here too.
_WITHOUT_EFFECT = frozenset(
    {
        "enable_grpc_healthcheck_service",  # the service is always there
        "enable_profiler",
        "flush_filesystem_caches",
        "num_load_threads",
        "num_tflite_interpreters_per_pool",
        "num_tflite_pools",
        "num_unload_threads",
        "remove_unused_fields_from_bundle_metagraph",
        "skip_initialize_tpu",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    }
)


# What the C++ server has beyond this one, with the values that do not ask for it.
_NOT_HERE = {
    "enable_per_model_batching_parameters": _FALSE,
    "mixed_precision": ("",),
    "platform_config_file": ("",),
    "prefer_tflite_model": _FALSE,
    "tensorflow_session_config_file": ("",),
    "thread_pool_factory_config_file": ("",),
    "use_alts_credentials": _FALSE,
}


class FlagError(ServingError):
    """A command line that cannot be read; the usage should be shown with it."""


def parse(arguments: Iterable[str]) -> ServerOptions:
    """Makes a server's settings of a command line; of a flag given twice, the last counts.

    Raises:
        FlagError: a flag is unknown or its value is none.
        ServingError: settings contradict each other, or ask for what only the C++ server has.
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        if not _is_known(argument):
            raise FlagError(f"unknown argument: {argument}")
        name, equals, text = argument.removeprefix("--").partition("=")
        text = text if equals else "true"
        if name in _FIELDS:
            values[name] = _value(name, type(_FIELDS[name].default), text)
        elif name in _WITHOUT_EFFECT:
            log.warning("--%s has no effect here", name)
        elif name in _NOT_HERE and text.lower() not in _NOT_HERE[name]:
            raise ServingError(
                f"--{name} is a flag of tensorflow_model_server alone; leave it out", Code.UNIMPLEMENTED
            )
    return ServerOptions(**values)


def _is_known(argument: str) -> bool:
    name, equals, _ = argument.removeprefix("--").partition("=")
    if not argument.startswith("--"):
        return False
    if name in _FIELDS:
        return bool(equals) or isinstance(_FIELDS[name].default, bool)
    return name in _WITHOUT_EFFECT or name in _NOT_HERE or f"--{name}" == _VERSION


def asks_for_version(arguments: Iterable[str]) -> bool:
    """Tells whether a command line only asks which version this is.

    Raises:
        FlagError: its value is none.
    """
    asked = False
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if name == _VERSION:
            asked = bool(_value("version", bool, text if equals else "true"))
    return asked


def usage(program: str) -> str:
    """Tells every flag with its default and what it means."""
    lines = [f"usage: {program}", "Flags:"]
    for field in _FIELDS.values():
        lines.append(f"  --{field.name}={json.dumps(field.default)}")
        lines.extend(
            textwrap.wrap(field.metadata["help"], 96, initial_indent=" " * 8, subsequent_indent=" " * 8)
        )
    lines.append(
        f"  {_VERSION}=false\n        Tells the versions of this server and of TensorFlow, and ends."
    )
    return "\n".join(lines) + "\n"


def _value(name: str, kind: type, text: str) -> Any:
    try:
        return _READERS[kind](text)
    except ValueError as error:
        raise FlagError(f"Couldn't interpret value {text} for flag {name}.") from error


def _bool(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return text.lower() in _TRUE


def _int(text: str) -> int:
    number = int(text)
    if not -_INT64 <= number < _INT64:
        raise ValueError(text)
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_READERS: dict[type, Any] = {bool: _bool, int: _int, float: _float, str: str}
