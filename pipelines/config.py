"""A whole config: every room's sections, read together and refused together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preprocessing.config import DataConfig, read_config
from preprocessing.schema import Document, InputError, parse, read_config_mapping
from trainer import config as trainer_config
from trainer.config import TrainerConfig
from trainer.distribution.config import CLUSTER, is_in_cluster


class EvaluateConfig(Document):
    """The `evaluate:` section.

    Attributes:
      require: what a model must reach to be pushed, such as `ndcg@10>=0.1`.
    """

    require: tuple[str, ...] = ()


class PushConfig(Document):
    """The `push:` section.

    Attributes:
      folder: where a model server looks for versions; `serving/` in the run folder when not given. A
        relative one starts at the config's folder.
    """

    folder: str | None = None


class PipelineConfig(Document):
    """The sections that only a run reads."""

    evaluate: EvaluateConfig = EvaluateConfig()
    push: PushConfig = PushConfig()


@dataclass(frozen=True)
class RunConfig:
    """What a run is made of.

    Attributes:
      name: of the data set.
      path: of the config.
      data: for preprocessing.
      trainer: for training and export.
      pipeline: for what comes after.
    """

    name: str
    path: Path
    data: DataConfig
    trainer: TrainerConfig
    pipeline: PipelineConfig

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Reads a config file.

        Raises:
          InputError: no such file, or anything in it that is not allowed.
        """
        name, data = read_config(path)
        trainer = trainer_config.read_config(path)
        values = read_config_mapping(path)
        given = {key: values[key] for key in PipelineConfig.model_fields if values.get(key) is not None}
        pipeline = parse(PipelineConfig, given, str(path))
        return cls(name, path, data, trainer, pipeline)

    @property
    def base(self) -> Path:
        """The folder where the config's relative paths start."""
        return self.path.resolve().parent

    def check_alone(self) -> None:
        """Checks that this process is to train by itself, and not as one of the workers of a cluster.

        Raises:
          InputError: it was started as such a worker.
        """
        if is_in_cluster(self.trainer.train.distribution):
            raise InputError(
                f"train.distribution.kind: multi_worker, and {CLUSTER} is set: this process would be one of "
                "several workers, which `tandem train` and `python -m trainer.task` alone can be; unset "
                f"{CLUSTER}, or choose another kind"
            )

    def parts(self, keys: Sequence[str], ignored: Sequence[str] = ()) -> dict[str, Any]:
        """Parts of the config by dotted keys, such as `train` or `export.candidates`.

        Args:
          keys: of the parts.
          ignored: keys below these that are left out.

        Raises:
          KeyError: there is no such key.
        """
        sections: dict[str, Any] = {"name": self.name}
        sections["data"] = self.data.model_dump(mode="json", by_alias=True)
        for document in (self.trainer, self.pipeline):
            sections |= document.model_dump(mode="json", by_alias=True)
        for key in ignored:
            above, _, name = key.rpartition(".")
            del _below(sections, above)[name]
        return {key: _below(sections, key) for key in keys}


def _below(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values
