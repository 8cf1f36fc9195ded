"""Loads a server: `python -m benchmarks.serving_load.callers --help`.

Requests go out and answers come in as bytes, so that little of the time measured is this process's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
import typer

from benchmarks.serving_load import payloads
from benchmarks.serving_load.loop import Call, call_until_told

PREDICT = "/tensorflow.serving.PredictionService/Predict"
DEADLINE_SECONDS = 60.0


def callers(target: str, requests_file: Path, output: Path, count: int = 1) -> None:
    """Calls Predict from threads with a connection each; see `loop.call_until_told`."""
    requests = payloads.read(requests_file)
    call_until_told([_caller(target, requests) for _ in range(count)], output)


def _caller(target: str, requests: Sequence[bytes]) -> Call:
    # Channels to the same server share a connection unless they are told not to.
    channel = grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
    predict = channel.unary_unary(PREDICT)

    def call(place: int) -> int:
        try:
            predict(requests[place % len(requests)], timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            return int(error.code().value[0])
        return 0

    return call


if __name__ == "__main__":
    typer.run(callers)
