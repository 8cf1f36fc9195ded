"""The `tune:` section of a config."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from preprocessing.schema import Document, InputError, parse, read_config_mapping

Scalar = bool | int | float | str | None


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return value


def _scalar(value: object) -> object:
    if not isinstance(value, Scalar) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("one finite number, text, true, false or null is needed")
    return value


# pydantic would tell for each kind of a union why a value is not of it.
Number = Annotated[int | float, pydantic.BeforeValidator(_number)]
Value = Annotated[Scalar, pydantic.BeforeValidator(_scalar)]


class Range(Document):
    """Numbers from `low` to `high`, both of them included.

    Attributes:
      log: small numbers are tried as closely as large ones, as suits a learning rate.
    """

    low: Number
    high: Number
    log: bool = False

    @pydantic.model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be below high (found {self.low} and {self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs a low above 0 (found {self.low})")
        return self


class Values(Document):
    """Each of some values; of any kind, and in no order."""

    values: tuple[Value, ...]

    @pydantic.field_validator("values")
    @classmethod
    def _differ(cls, values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
        if not values:
            raise ValueError("at least one value is needed")
        if len(set(map(repr, values))) < len(values):
            raise ValueError(f"the same value stands there twice (found {list(values)!r})")
        return values


def _kind(dimension: object) -> str:
    is_values = isinstance(dimension, Values) or (isinstance(dimension, dict) and "values" in dimension)
    return "values" if is_values else "range"


Dimension = Annotated[
    Annotated[Range, pydantic.Tag("range")] | Annotated[Values, pydantic.Tag("values")],
    pydantic.Discriminator(_kind),
]


class PruningConfig(Document):
    """When a trial is given up: its best epoch so far is worse than the median of the others by then.

    Attributes:
      startup_trials: so many trials are finished before any is given up.
      warmup_epochs: no trial is given up in its first epochs.
    """

    startup_trials: pydantic.NonNegativeInt = 5
    warmup_epochs: pydantic.NonNegativeInt = 5


class TuneConfig(Document):
    """What is searched, and by what it is judged.

    Attributes:
      metric: what is to become largest: NDCG@10 of retrieval on the validation part, at its best epoch.
      search: keys of the sections `model` and `train`, such as `model.dropout`, and what to try for each.
      pruning: poor trials are given up early; `null` trains each to its end.
    """

    metric: Literal["ndcg@10"] = "ndcg@10"
    search: Annotated[dict[str, Dimension], pydantic.Field(min_length=1)]
    pruning: PruningConfig | None = PruningConfig()

    @pydantic.field_validator("search", mode="before")
    @classmethod
    def _of_one_kind(cls, search: object) -> object:
        # Told here, in one line: pydantic would tell what keeps a mapping from being either kind.
        for key, dimension in search.items() if isinstance(search, dict) else ():
            given = set(dimension) if isinstance(dimension, dict) else set()
            if given != {"values"} and not {"low", "high"} <= given <= {"low", "high", "log"}:
                raise ValueError(
                    f"{key}: expected {{low: …, high: …, log: true or false}} or {{values: […]}}, "
                    f"found {dimension!r}"
                )
        return search


def read_tune_config(path: Path) -> TuneConfig:
    """Reads the `tune:` section of a config.

    Raises:
      InputError: no such file, no such section, or something in it that is not allowed.
    """
    values = read_config_mapping(path).get("tune")
    if not isinstance(values, dict):
        raise InputError(
            f"{path}: the section tune: is missing; it says which keys to search, for example "
            "`tune: {search: {model.dropout: {low: 0.1, high: 0.5}}}`"
        )
    return parse(TuneConfig, values, f"{path}: tune")
