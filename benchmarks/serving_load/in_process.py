"""The floor of any server of a model: `python -m benchmarks.serving_load.in_process --help`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import typer

from benchmarks.serving_load import payloads, requests
from benchmarks.serving_load.loop import Call, call_until_told
from serving.errors import ServingError
from serving.models.saved_model import LoadedModel


def in_process(model: Path, requests_file: Path, output: Path, count: int = 1) -> None:
    """Calls a model from threads of this process, arrays to arrays; see `loop.call_until_told`."""
    inputs = [requests.arrays(request) for request in payloads.read(requests_file)]
    loaded = LoadedModel(model)
    call_until_told([_caller(loaded, inputs)] * count, output)
    loaded.close()


def _caller(model: LoadedModel, inputs: Sequence[Mapping[str, np.ndarray]]) -> Call:
    def call(place: int) -> int:
        try:
            model.predict("serving_default", inputs[place % len(inputs)])
        except ServingError as error:
            return int(error.code)
        return 0

    return call


if __name__ == "__main__":
    typer.run(in_process)
