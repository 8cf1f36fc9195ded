"""The `model.language_model:` section of a config: each mode has the settings that mean something in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import pydantic

from preprocessing.schema import Document

FROZEN = "frozen"
Share = Annotated[float, pydantic.Field(ge=0, lt=1)]
Rate = Annotated[float, pydantic.Field(gt=0)]
Projection = Literal["query", "key", "value", "output"]


class LanguageModelConfig(Document):
    """What every mode has.

    Attributes:
      mode: which weights learn.
      layers: keep the first n transformer layers only; all when not given.
    """

    mode: str
    layers: pydantic.PositiveInt | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _belongs_to_this_mode(cls, values: Any) -> Any:
        for key in set(values) - set(cls.model_fields) if isinstance(values, Mapping) else ():
            modes = ", ".join(_mode_of(mode) for mode in MODES if key in mode.model_fields)
            if modes:
                raise ValueError(f"{key} is a setting of mode {modes}; the mode is {_mode_of(cls)}")
        return values


class FrozenConfig(LanguageModelConfig):
    """The text vectors are computed once, before training."""

    mode: Literal["frozen"] = "frozen"


class TuningConfig(LanguageModelConfig):
    """What the modes have in which the language model learns too.

    Attributes:
      learning_rate: of the language model; it rises for `warmup_steps` steps, then falls in a straight line
        and would be 0 after `train.epochs`.
      weight_decay: of the language model, its biases and normalisations left out.
      texts_per_step: the most texts that a step reads anew; the others come from the table.
      adversarial: how far the word embeddings of a text are moved to where it hurts most, which is then
        learned too and doubles the time (Miyato et al. 2017, https://arxiv.org/abs/1605.07725); 0 is off.
      mixed_precision: compute the language model in bfloat16 while training, on a GPU; without one it is
        said and left.
    """

    learning_rate: Rate
    warmup_steps: pydantic.NonNegativeInt = 100
    weight_decay: Annotated[float, pydantic.Field(ge=0)] = 0.01
    texts_per_step: pydantic.PositiveInt = 256
    adversarial: Annotated[float, pydantic.Field(ge=0)] = 0.0
    mixed_precision: bool = False


class LoraConfig(TuningConfig):
    """Low-rank changes of attention projections are learned (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

    Attributes:
      rank: of a change.
      alpha: a change counts `alpha / rank` times.
      dropout: of what a change reads.
      projections: which of each layer's projections are changed.
    """

    mode: Literal["lora"]
    learning_rate: Rate = 5e-4
    rank: pydantic.PositiveInt = 8
    alpha: Rate = 16.0
    dropout: Share = 0.0
    projections: Annotated[tuple[Projection, ...], pydantic.Field(min_length=1)] = ("query", "value")

    @pydantic.field_validator("projections")
    @classmethod
    def _each_once(cls, projections: tuple[Projection, ...]) -> tuple[Projection, ...]:
        if len(set(projections)) < len(projections):
            raise ValueError("each projection may be named once")
        return projections


class LastLayersConfig(TuningConfig):
    """The last layers learn.

    Attributes:
      tuned_layers: how many.
    """

    mode: Literal["last_n"]
    learning_rate: Rate = 5e-5
    tuned_layers: pydantic.PositiveInt

    @pydantic.model_validator(mode="after")
    def _there_are_so_many(self) -> LastLayersConfig:
        if self.layers is not None and self.tuned_layers > self.layers:
            raise ValueError(f"tuned_layers ({self.tuned_layers}) must be at most layers ({self.layers})")
        return self


class FullConfig(TuningConfig):
    """Everything learns, the word embeddings included."""

    mode: Literal["full"]
    learning_rate: Rate = 2e-5


MODES = (FrozenConfig, LoraConfig, LastLayersConfig, FullConfig)


def _mode_of(config: type[LanguageModelConfig]) -> str:
    return str(get_args(config.model_fields["mode"].annotation)[0])


def _mode_asked_for(values: Any) -> Any:
    return values.get("mode", FROZEN) if isinstance(values, Mapping) else getattr(values, "mode", None)


AnyLanguageModelConfig = Annotated[
    Annotated[FrozenConfig, pydantic.Tag("frozen")]
    | Annotated[LoraConfig, pydantic.Tag("lora")]
    | Annotated[LastLayersConfig, pydantic.Tag("last_n")]
    | Annotated[FullConfig, pydantic.Tag("full")],
    pydantic.Discriminator(_mode_asked_for),
]
