"""Swaps versions of a model while it is under load."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving_load import processes
from benchmarks.serving_load.load import prepare_requests, tandem_serve
from benchmarks.serving_load.loop import Calls
from benchmarks.serving_report.results import SwapResult, summarise
from preprocessing.schema import InputError
from serving.client import Client
from serving.errors import Code
from serving.models import versions
from trainer.progress import Progress

LOOK_SECONDS = 0.05
SWAP_SECONDS = 900.0
"""A swap that takes longer has failed."""


class SwapBenchmark:
    """Loads a server whose model gets new versions, each a copy of the first.

    Args:
      model: the folder above a Tandem model's versions; the newest is copied.
      folder: for the copies, requests, logs and raw measurements.
      flags: more flags for the server.
      progress: where to show how far it is.
    """

    def __init__(self, model: Path, folder: Path, flags: list[str], progress: Progress) -> None:
        self._model = model
        self._folder = folder
        self._flags = flags
        self._progress = progress
        self._base = folder / "model"

    def measure(self, swaps: int, callers: int, calm_seconds: float) -> SwapResult:
        """Loads for a calm while, then swaps so many versions, one after another.

        Raises:
          InputError: the server takes no new version.
        """
        shutil.rmtree(self._base, ignore_errors=True)
        self._base.mkdir(parents=True)
        found = versions.find(str(self._model))
        shutil.copytree(found[max(found)], self._base / "1")
        requests, output = self._folder / "requests.json", self._folder / "calls.npz"
        with tandem_serve(self._base, self._flags, self._folder / "server.log") as target:
            prepare_requests(target, requests)
            arguments = [target, str(requests), str(output), f"--count={callers}"]
            with processes.load("benchmarks.serving_load.callers", arguments, self._folder / "load.log"):
                time.sleep(calm_seconds)
                moments = self._swap(target, swaps)
        shutil.rmtree(self._base)
        return swap_result(Calls.read(output), moments, callers)

    def _swap(self, target: str, swaps: int) -> list[tuple[float, float]]:
        """Swaps, and gives when each swap began and ended."""
        moments = []
        with (
            Client(target, timeout=SWAP_SECONDS) as client,
            self._progress.bar("Swapping versions under load", swaps) as advance,
        ):
            for version in range(2, swaps + 2):
                begun = time.monotonic()
                temporary = self._base / f".tmp-{version}"
                shutil.copytree(self._base / "1", temporary)
                temporary.rename(self._base / str(version))
                self._wait(client, version, begun + SWAP_SECONDS)
                moments.append((begun, time.monotonic()))
                advance(1)
        return moments

    def _wait(self, client: Client, version: int, end: float) -> None:
        """Waits until a version serves alone."""
        while True:
            states = {each.number: each.state for each in client.versions()}
            alone = all(state == "END" for number, state in states.items() if number != version)
            if states.get(version) == "AVAILABLE" and alone:
                return
            if states.get(version) == "END" or time.monotonic() > end:
                log = self._folder / "server.log"
                raise InputError(f"the server does not serve version {version}; see {log}")
            time.sleep(LOOK_SECONDS)


def swap_result(calls: Calls, moments: Sequence[tuple[float, float]], callers: int) -> SwapResult:
    """Tells the calls before the first swap from those during the swaps.

    Args:
      calls: all that were made.
      moments: when each swap began and ended.
      callers: how many there were.
    """
    first, last = moments[0][0], moments[-1][1]
    codes = Counter(Code(int(code)).name for code in calls.code[calls.code != 0])
    return SwapResult(
        callers,
        summarise([_within(calls, calls.start, first)]),
        summarise([_within(calls, first, last)]),
        [round(end - begun, 3) for begun, end in moments],
        dict(codes),
    )


def _within(calls: Calls, start: float, stop: float) -> Calls:
    """The calls that were begun in between; they may end later."""
    inside: np.ndarray = (calls.begun >= start) & (calls.begun < stop)
    return dataclasses.replace(
        calls,
        begun=calls.begun[inside],
        seconds=calls.seconds[inside],
        code=calls.code[inside],
        start=start,
        stop=stop,
    )
