"""Reads the configs of models that are to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import finished
from pipelines.config import RunConfig
from pipelines.work.preprocess import digests
from preprocessing.plan import make_plan
from preprocessing.schema import InputError


def read_configs(paths: Sequence[Path]) -> list[RunConfig]:
    """Reads configs whose models can be trained on the same examples.

    Raises:
      InputError: a config has something that is not allowed, or two of them have the same name or
        different data.
    """
    configs = [RunConfig.read(path) for path in paths]
    first = configs[0]
    for number, (path, config) in enumerate(zip(paths, configs, strict=True)):
        if config.name in {other.name for other in configs[:number]}:
            raise InputError(f"{path}: name: {config.name!r} is the name of another config too")
        place = _difference(first.data.model_dump(mode="json"), config.data.model_dump(mode="json"))
        if place is None and config.base != first.base and examples_key(config) != examples_key(first):
            place = ()  # the same words, but relative to another folder
        if place is not None:
            raise InputError(
                f"{path}: {'.'.join(['data', *place])}: differs from that of {paths[0]}; models are "
                "compared on the same examples, so the `data:` sections must be equal"
            )
    return configs


def examples_key(config: RunConfig) -> str:
    """A fingerprint of everything that goes into the examples, their name apart."""
    return finished.key(config.data, *map(str, digests(make_plan(config.data, config.base)).items()))


def _difference(one: Any, other: Any) -> tuple[str, ...] | None:
    """Where two documents differ first: the keys that lead there; None when they are equal."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return None if one == other else ()
    for key in dict.fromkeys([*one, *other]):
        place = _difference(one.get(key), other.get(key))
        if place is not None:
            return (str(key), *place)
    return None
