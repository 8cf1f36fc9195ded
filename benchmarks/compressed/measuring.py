"""Measures exported versions: size, speed, and what they find."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.evaluation.cases import read_ids
from preprocessing.schema import RESERVED, Schema
from preprocessing.schema.examples import read_batches
from serving.models.saved_model import LoadedModel
from trainer.language_model.config import LanguageModelConfig, TuningConfig
from trainer.language_model.tuned import TunedLanguageModel
from trainer.version import EXTRA

TEXTS, BATCH = 512, 64
QUERIES, HISTORY = 200, 10
MEGABYTE = 1e6
NONE = np.zeros((1, 0), object)


@dataclass(frozen=True)
class Measured:
    """What a version costs.

    Attributes:
      megabytes: of what a server loads; the copy that `tandem index` builds from is not counted.
      texts_a_second: that `embed_item` reads in batches of 64.
      milliseconds: of one `retrieve`, the median.
    """

    megabytes: float
    texts_a_second: float | None
    milliseconds: float


def measure(version: Path, examples: Path) -> Measured:
    """Measures one version in this process."""
    with contextlib.closing(LoadedModel(str(version))) as model:
        return Measured(_megabytes(version), _texts_a_second(model, examples), _milliseconds(model, examples))


def found(version: Path, examples: Path) -> list[set[bytes]]:
    """The first ten items of `retrieve` for some made-up histories."""
    with contextlib.closing(LoadedModel(str(version))) as model:
        answers = [
            model.predict("retrieve", request, ["item_id"])["item_id"] for request in _requests(examples)
        ]
    return [set(answer[0][:10]) for answer in answers]


def tuned_weights(examples: Path, config: LanguageModelConfig) -> int:
    """How many weights of the language model learn."""
    described = Schema.read(examples).language_model
    if not isinstance(config, TuningConfig) or described is None:
        return 0
    model = TunedLanguageModel(examples / described.folder, config)
    return sum(int(tf.size(weight)) for weight in model.tuned)


def _megabytes(version: Path) -> float:
    files = (path for path in version.rglob("*") if path.is_file() and EXTRA not in path.parts)
    return round(sum(path.stat().st_size for path in files) / MEGABYTE, 1)


def _texts_a_second(model: LoadedModel, examples: Path) -> float | None:
    schema = Schema.read(examples)
    if schema.items.text is None or "embed_item" not in model.signatures:
        return None
    texts = np.concatenate([batch["text"].numpy() for batch in read_batches(examples, schema, "items")])
    texts = np.resize(texts, TEXTS)
    cells = {name: np.full(BATCH, b"", object) for name in schema.items.columns}
    column = schema.items.text.columns[0].name
    batches = [cells | {column: texts[begin : begin + BATCH]} for begin in range(0, TEXTS, BATCH)]
    taken = _timed(lambda batch: model.predict("embed_item", batch, ["embedding"]), batches)
    return round(BATCH / float(np.median(taken)), 0)


def _milliseconds(model: LoadedModel, examples: Path) -> float:
    taken = _timed(
        lambda request: model.predict("retrieve", request, ["item_id", "score"]), _requests(examples)
    )
    return round(float(np.median(taken)) * 1000, 2)


def _requests(examples: Path) -> list[dict[str, np.ndarray]]:
    ids = read_ids(examples, Schema.read(examples).items)[RESERVED:]
    generator = np.random.default_rng(0)
    histories = [generator.choice(ids, (1, HISTORY)) for _ in range(QUERIES)]
    return [{"user_id": np.array([b""], object), "history": each, "exclude": NONE} for each in histories]


def _timed(
    ask: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]], requests: list[dict[str, np.ndarray]]
) -> list[float]:
    ask(requests[0])
    taken = []
    for request in requests:
        begun = time.perf_counter()
        ask(request)
        taken.append(time.perf_counter() - begun)
    return taken
