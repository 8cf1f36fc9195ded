"""The variants of a config that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.config import RunConfig
from preprocessing.schema import parse
from trainer.config import ExportConfig, PortableConfig, ScannConfig, TrainerConfig

TEXTS_PER_STEP = 64
"""A quarter of the default, so that a comparison takes minutes without a GPU."""
MODES: Mapping[str, Mapping[str, Any]] = {
    "frozen": {"mode": "frozen"},
    "lora": {"mode": "lora", "texts_per_step": TEXTS_PER_STEP},
    "last_n": {"mode": "last_n", "tuned_layers": 2, "texts_per_step": TEXTS_PER_STEP},
    "full": {"mode": "full", "texts_per_step": TEXTS_PER_STEP},
}
LAYERS = (1, 2, 4)
DIMENSIONS = (16, 32, 128)


@dataclass(frozen=True)
class Variant:
    """One training.

    Attributes:
      group: what it belongs to; the base belongs to each.
      name: what is different, in a few words.
      config: the trainer's sections.
    """

    group: str
    name: str
    config: TrainerConfig


def variants(config: RunConfig, groups: Sequence[str], epochs: int) -> list[Variant]:
    """The base, whose language model is frozen and whole, and what each group changes of it."""
    base = _changed(config.trainer, epochs, language_model={"mode": "frozen"})
    changes: dict[str, dict[str, dict[str, Any]]] = {
        "modes": {name: {"language_model": settings} for name, settings in MODES.items() if name != "frozen"},
        "layers": {f"layers: {count}": {"language_model": {"layers": count}} for count in LAYERS},
        "dimensions": {
            f"dimension {size}": {"dimension": size} for size in DIMENSIONS if size != base.model.dimension
        },
    }
    found = [Variant("base", f"frozen, all layers, dimension {base.model.dimension}", base)]
    for group in groups:
        found += [
            Variant(group, name, _changed(base, epochs, **each)) for name, each in changes[group].items()
        ]
    return found


def indexes(config: ExportConfig) -> dict[str, ExportConfig]:
    """The kinds of index over one catalogue: exact, then those that read a part of it alone."""
    exact = ScannConfig(brute_force_below=10**9)
    quantised = config.scann.model_copy(update={"brute_force_below": 0})
    leaves = PortableConfig(brute_force_below=0)
    return {
        "exact": config.model_copy(update={"index": "scann", "scann": exact}),
        "ScaNN, quantised": config.model_copy(update={"index": "scann", "scann": quantised}),
        "portable, leaves": config.model_copy(update={"index": "portable", "portable": leaves}),
    }


def named(config: RunConfig, variant: Variant) -> RunConfig:
    """The whole config of a variant."""
    return replace(config, name=variant.name, trainer=variant.config)


def _changed(config: TrainerConfig, epochs: int, **model: Any) -> TrainerConfig:
    values = config.model_dump(mode="json", by_alias=True)
    values["model"] |= model
    values["train"] |= {"epochs": epochs, "patience": epochs, "refit": False}
    return parse(TrainerConfig, values, "compression")
