"""Measures latency and requests a second: the server, with batching and without, and its two floors."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving_load import callers, payloads, processes, requests
from benchmarks.serving_load.loop import Calls
from benchmarks.serving_report.results import (
    BATCHING,
    ECHO,
    IN_PROCESS,
    SERVER,
    Latencies,
    LoadResult,
    summarise,
)
from serving.client import Client
from serving.models import versions
from trainer.progress import Progress

BATCHING_PARAMETERS = processes.ROOT / "serving" / "deploy" / "batching.config"
START_SECONDS = 120.0


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
      callers: how many at once, one load each.
      seconds: of each load.
      rounds: how often all loads are repeated, in turn, so that a machine whose speed changes is fair.
    """

    callers: Sequence[int]
    seconds: float
    rounds: int


class LoadBenchmark:
    """Loads a server, an echo and the model itself, all in processes of their own.

    Args:
      model: the folder above a Tandem model's versions.
      folder: for requests, logs and raw measurements.
      flags: more flags for the server.
      progress: where to show how far it is.
    """

    def __init__(self, model: Path, folder: Path, flags: Sequence[str], progress: Progress) -> None:
        self._model = model.resolve()
        self._folder = folder
        self._flags = flags
        self._progress = progress
        self._requests = folder / "requests.json"
        self._response = folder / "response.pb"

    def measure(self, effort: Effort) -> list[LoadResult]:
        """Measures every target under every number of callers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        kept: dict[tuple[str, int], list[Calls]] = {}
        with self._servers() as targets:
            loads = [(name, count) for count in effort.callers for name in (*targets, IN_PROCESS)]
            with self._progress.bar("Loading servers and model", effort.rounds * len(loads)) as advance:
                for _ in range(effort.rounds):
                    for name, count in loads:
                        calls = self._load(name, targets.get(name, ""), count, effort.seconds)
                        kept.setdefault((name, count), []).append(calls)
                        advance(1)
        return _results({key: summarise(rounds) for key, rounds in kept.items()})

    @contextlib.contextmanager
    def _servers(self) -> Iterator[dict[str, str]]:
        batching = ["--enable_batching=true", f"--batching_parameters_file={BATCHING_PARAMETERS}"]
        with contextlib.ExitStack() as stack:
            self._progress.say("Starting the servers")
            targets = {
                name: stack.enter_context(tandem_serve(self._model, [*flags, *self._flags], self._log(name)))
                for name, flags in ((SERVER, []), (BATCHING, batching))
            }
            self._prepare(targets[SERVER])
            echo = processes.server("benchmarks.serving_load.echo", [str(self._response)], self._log(ECHO))
            yield {ECHO: stack.enter_context(echo), **targets}

    def _prepare(self, target: str) -> None:
        """Makes the requests, and an answer that the echo can give."""
        prepare_requests(target, self._requests)
        with grpc.insecure_channel(target) as channel:
            predict = channel.unary_unary(
                callers.PREDICT, response_deserializer=predict_pb2.PredictResponse.FromString
            )
            response = predict(payloads.read(self._requests)[0], timeout=START_SECONDS)
        self._response.write_bytes(response.SerializeToString())

    def _load(self, name: str, target: str, count: int, seconds: float) -> Calls:
        output = self._folder / "calls.npz"
        module, what = "benchmarks.serving_load.callers", target
        if name == IN_PROCESS:
            found = versions.find(str(self._model))
            module, what = "benchmarks.serving_load.in_process", found[max(found)]
        arguments = [what, str(self._requests), str(output), f"--count={count}"]
        with processes.load(module, arguments, self._log("load")):
            time.sleep(seconds)
        return Calls.read(output)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name.replace(', ', '-').replace(' ', '-')}.log"


@contextlib.contextmanager
def tandem_serve(model: Path, flags: Sequence[str], log: Path) -> Iterator[str]:
    """Runs `tandem serve` on a free port until the block ends; gives its `host:port`."""
    arguments = ["serve", "--port=0", f"--model_base_path={model.resolve()}", *flags]
    with processes.server("pipelines.cli", arguments, log) as target:
        yield target


def prepare_requests(target: str, path: Path) -> None:
    """Writes requests of what the server's model knows."""
    with Client(target, timeout=START_SECONDS) as client:
        made = requests.make_requests(client)
    payloads.write((request.SerializeToString() for request in made), path)


def _results(measured: dict[tuple[str, int], Latencies]) -> list[LoadResult]:
    results = []
    for (name, count), latencies in measured.items():
        echo = measured[ECHO, count]
        results.append(
            LoadResult(
                name,
                count,
                latencies,
                latencies.per_second / echo.per_second if echo.per_second else 0.0,
                latencies.p50 / echo.p50 if echo.p50 else 0.0,
            )
        )
    return results
