"""Reads a command line as `tensorflow_model_server` does: `--name=value`, or `--name` to turn it on."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import textwrap
from collections.abc import Iterable
from typing import Any

from serving.errors import ServingError
from serving.settings.options import ServerOptions

log = logging.getLogger(__name__)

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
        "num_unload_threads",
        "remove_unused_fields_from_bundle_metagraph",
        "skip_initialize_tpu",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    }
)


class FlagError(ServingError):
    """A command line that cannot be read; the usage should be shown with it."""


def parse(arguments: Iterable[str]) -> ServerOptions:
    """Makes a server's settings of a command line; of a flag given twice, the last counts.

    Raises:
        FlagError: a flag is unknown or its value is none.
        ServingError: settings contradict each other.
    """
    fields = {field.name: field for field in dataclasses.fields(ServerOptions)}
    values: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.removeprefix("--").partition("=")
        field = fields.get(name) if argument.startswith("--") else None
        if field is not None and (equals or field.default is False or field.default is True):
            values[name] = _value(name, type(field.default), text if equals else "true")
        elif argument.partition("=")[0] == _VERSION:
            continue
        elif argument.startswith("--") and name in _WITHOUT_EFFECT:
            log.warning("--%s has no effect here", name)
        else:
            raise FlagError(f"unknown argument: {argument}")
    return ServerOptions(**values)


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
    for field in dataclasses.fields(ServerOptions):
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
