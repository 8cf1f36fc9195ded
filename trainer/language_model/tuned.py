"""A language model of which some weights learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from preprocessing.schema import InputError
from trainer.language_model.bert import FULL_PRECISION, LanguageModel
from trainer.language_model.config import LastLayersConfig, LoraConfig, TuningConfig
from trainer.language_model.lora import add_lora, merge_lora

UNDECAYED = ("bias", "LayerNorm")


class TunedLanguageModel(LanguageModel):
    """A TF BERT some of whose weights are trainable; only these are seen by whoever looks for variables.

    Args:
      folder: holds `config.json` and the weights.
      config: the mode and its settings.
      precision: see `LanguageModel`.

    Attributes:
      tuned: the weights that learn.

    Raises:
      InputError: the folder is no BERT checkpoint, or has fewer layers than asked for.
    """

    def __init__(self, folder: Path, config: TuningConfig, precision: str = FULL_PRECISION) -> None:
        super().__init__(folder, config.layers, precision)
        self._config = config
        self.tuned: list[tf.Variable] = self._choose(folder)

    def _choose(self, folder: Path) -> list[tf.Variable]:
        config, layers = self._config, self._layers()
        if isinstance(config, LoraConfig):
            return [weight for lora in add_lora(layers, config) for weight in (lora.down, lora.up)]
        if isinstance(config, LastLayersConfig):
            if config.tuned_layers > len(layers):
                raise InputError(
                    f"model.language_model.tuned_layers: {config.tuned_layers} asked for, {folder} has "
                    f"{len(layers)}"
                )
            return [
                weight for layer in layers[-config.tuned_layers :] for weight in layer.trainable_variables
            ]
        return list(self.bert().trainable_variables)

    def _layers(self) -> list[Any]:
        layers: list[Any] = self.bert().bert.encoder.layer
        return layers

    @property
    def undecayed(self) -> list[tf.Variable]:
        """Those of the tuned weights that no weight decay should pull to zero."""
        return [weight for weight in self.tuned if any(part in weight.name for part in UNDECAYED)]

    def merge(self) -> None:
        """Makes a plain BERT of it, for serving: what LoRA learned goes into the kernels."""
        if isinstance(self._config, LoraConfig):
            merge_lora(self._layers(), self._config)
