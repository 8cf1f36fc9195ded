"""What can be tried, checked against the config before any trial begins."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from pipelines.hyperparameters.config import Range, Scalar, TuneConfig, Values
from pipelines.hyperparameters.keys import number_type
from preprocessing.schema import InputError
from trainer.config import TrainerConfig, parse_config

Point = Mapping[str, Scalar]
"""A value for each searched key."""

CHECKED = 10_000
"""So many whole numbers or combinations are all checked; of more, the ends."""


@dataclass(frozen=True)
class Space:
    """The searched keys of one config.

    Attributes:
      path: of the config, for messages.
      values: the whole config, as it was read.
      distributions: what Optuna draws from, by key.
    """

    path: Path
    values: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]

    @classmethod
    def of(cls, config: TuneConfig, path: Path, values: Mapping[str, Any]) -> Space:
        """Checks every key, every value, and every combination of values.

        Raises:
          InputError: a key that cannot be searched, or a value that the config would not allow.
        """
        distributions = {}
        for key, dimension in config.search.items():
            where = f"{path}: tune.search.{key}"
            try:
                distributions[key] = _distribution(dimension, number_type(key))
            except InputError as error:
                raise InputError(f"{where}: {error}") from None
        space = cls(path, values, distributions)
        for key, distribution in distributions.items():
            for value in _checked(distribution):
                parse_config(space.config_with({key: value}), f"{path}: tune.search.{key}")
        for point in space.combinations(CHECKED):
            parse_config(space.config_with(point), f"{path}: tune.search: {_shown(point)}")
        return space

    def config_with(self, point: Point) -> dict[str, Any]:
        """The whole config with these values in their places."""
        config = copy.deepcopy(dict(self.values))
        for key, value in point.items():
            *sections, name = key.split(".")
            node = config
            for section in sections:
                if node.get(section) is None:
                    node[section] = {}
                node = node[section]
            node[name] = value
        return config

    def trainer(self, point: Point) -> TrainerConfig:
        """The trainer's config of a trial, which is never refitted: that changes nothing it is judged by."""
        config = self.config_with({**point, "train.refit": False})
        return parse_config(config, f"{self.path}: {_shown(point)}")

    def starting_point(self) -> Point | None:
        """The config's own values, unless one of them is not among those that are searched."""
        trainer = parse_config(dict(self.values), str(self.path)).model_dump(by_alias=True)
        point: dict[str, Scalar] = {}
        for key, distribution in self.distributions.items():
            value: Any = trainer
            for name in key.split("."):
                value = value[name]
            if not _contains(distribution, value):
                return None
            point[key] = value
        return point

    def combinations(self, at_most: int) -> list[Point]:
        """All there is to try, if every key has values alone and there are no more than so many."""
        choices = [
            each.choices for each in self.distributions.values() if isinstance(each, CategoricalDistribution)
        ]
        if len(choices) < len(self.distributions) or math.prod(map(len, choices)) > at_most:
            return []
        return [dict(zip(self.distributions, each, strict=True)) for each in itertools.product(*choices)]


def _distribution(dimension: Range | Values, number: type[int] | type[float] | None) -> BaseDistribution:
    if isinstance(dimension, Values):
        return CategoricalDistribution(dimension.values)
    if number is None:
        raise InputError("only numbers have low and high; give values: […]")
    if number is float:
        return FloatDistribution(dimension.low, dimension.high, dimension.log)
    low, high = int(dimension.low), int(dimension.high)
    if (low, high) != (dimension.low, dimension.high):
        raise InputError(f"takes whole numbers (found {dimension.low} and {dimension.high})")
    return IntDistribution(low, high, dimension.log)


def _checked(distribution: BaseDistribution) -> Iterator[Scalar]:
    """Values to ask the config about: all of them, or the ends."""
    if isinstance(distribution, CategoricalDistribution):
        yield from distribution.choices
    elif isinstance(distribution, IntDistribution) and distribution.high - distribution.low < CHECKED:
        yield from range(distribution.low, distribution.high + 1)
    elif isinstance(distribution, IntDistribution | FloatDistribution):
        yield from (distribution.low, distribution.high)


def _contains(distribution: BaseDistribution, value: Scalar) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return isinstance(value, int | float) and distribution.low <= value <= distribution.high


def _shown(point: Point) -> str:
    return ", ".join(f"{key} {value}" for key, value in point.items())
