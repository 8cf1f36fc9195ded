"""How training went, from the TensorBoard logs beside an exported model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from pipelines.evaluation.model_version import ModelVersion
from preprocessing.schema import InputError
from trainer.result import TrainResult
from trainer.version import Details

LOSS, QUALITY = "mean_loss", "ndcg@10"


@dataclass(frozen=True)
class Curves:
    """What was logged after each epoch.

    Attributes:
      loss: of training, by epoch from 1.
      quality: validation NDCG@10, by epoch from 1.
      best_epoch: the one that was exported; None while the training is not finished.
    """

    loss: Mapping[int, float]
    quality: Mapping[int, float]
    best_epoch: int | None


def read_curves(version: ModelVersion | None) -> Curves:
    """Reads the curves of the training that a model came from: `training/` beside the folder of versions.

    Raises:
      InputError: there are no logs there, or they are of another training.
    """
    if version is None or not Path(version.source).is_dir():
        raise InputError("a model that is not in a folder of this machine does not tell how it was trained")
    folder = Path(version.source).resolve()
    training = folder.parents[1] / "training"
    curves = Curves(
        loss=_read(training / "logs" / "train", LOSS),
        quality=_read(training / "logs" / "validation", QUALITY),
        best_epoch=_best_epoch(training),
    )
    if not curves.quality:
        raise InputError(f"there are no logs of a training in {training / 'logs'}")
    fingerprint = training / "fingerprint"
    known = fingerprint.read_text(encoding="utf-8") if fingerprint.is_file() else ""
    if known != Details.read(folder).fingerprint:
        raise InputError(f"{training} holds another training than the model's")
    return curves


def _best_epoch(training: Path) -> int | None:
    result = TrainResult.read(training)
    return result.best_epoch if result else None


def _read(logs: Path, tag: str) -> dict[int, float]:
    """The scalars of a tag by epoch; what a training that went on wrote later replaces what was before."""
    found = {}
    for file in sorted(logs.glob("events.out.tfevents.*")):
        for event in _events(file):
            for value in event.summary.value:
                if value.tag == tag:
                    found[int(event.step) + 1] = float(tf.make_ndarray(value.tensor))
    return dict(sorted(found.items()))


def _events(file: Path) -> Iterator[tf.compat.v1.Event]:
    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            yield tf.compat.v1.Event.FromString(record)
    except tf.errors.DataLossError:
        return  # a training that was cut off may leave half a record at the end
