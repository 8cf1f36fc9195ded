"""A whole config: every room's sections, read together and refused together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preprocessing.config import DataConfig, read_config
from trainer import config as trainer_config
from trainer.config import TrainerConfig


@dataclass(frozen=True)
class RunConfig:
    """What a run is made of.

    Attributes:
      name: of the data set.
      base: the folder where the config's relative paths start.
      data: for preprocessing.
      trainer: for training and export.
    """

    name: str
    base: Path
    data: DataConfig
    trainer: TrainerConfig

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Reads a config file.

        Raises:
          InputError: no such file, or anything in it that is not allowed.
        """
        name, data = read_config(path)
        return cls(name, path.resolve().parent, data, trainer_config.read_config(path))
