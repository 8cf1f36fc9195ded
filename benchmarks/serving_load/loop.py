"""Calls something again and again from several threads, until standard input ends.

Whoever started the process reads `ready` once every caller has warmed up, and ends the load by closing its
standard input; should it die, the load ends too.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

READY = "ready"
WARMUP_CALLS = 20

Call = Callable[[int], int]
"""Makes the n-th call and gives its canonical status code, 0 if it was answered."""


@dataclass(frozen=True)
class Calls:
    """What a load came to; times are on the clock of `time.monotonic`, which all processes share.

    Attributes:
      begun: when each call began `[N]`.
      seconds: how long it took `[N]`.
      code: its status `[N]`.
      start, stop: from when to when there was load.
    """

    begun: np.ndarray
    seconds: np.ndarray
    code: np.ndarray
    start: float
    stop: float

    @classmethod
    def read(cls, path: Path) -> Calls:
        """Reads what `call_until_told` wrote."""
        with np.load(path) as kept:
            return cls(
                kept["begun"], kept["seconds"], kept["code"], float(kept["start"]), float(kept["stop"])
            )


def call_until_told(callers: Sequence[Call], output: Path) -> None:
    """Calls from one thread a caller, each as fast as it is answered, and writes `Calls`.

    Args:
      callers: what each thread calls.
      output: an `.npz` file.
    """
    started: list[float] = []
    barrier = threading.Barrier(len(callers) + 1, action=lambda: started.append(time.monotonic()))
    told = threading.Event()
    kept: list[list[tuple[float, float, int]]] = [[] for _ in callers]
    threads = [
        threading.Thread(target=_call, args=(number, caller, len(callers), barrier, told, kept[number]))
        for number, caller in enumerate(callers)
    ]
    # What this process collects while it waits for an answer would count as the server's time.
    gc.collect()
    gc.disable()
    for thread in threads:
        thread.start()
    barrier.wait()
    print(READY, flush=True)
    sys.stdin.read()
    stop = time.monotonic()
    told.set()
    for thread in threads:
        thread.join()
    calls = np.array([call for each in kept for call in each], np.float64).reshape(-1, 3)
    calls = calls[np.argsort(calls[:, 0])]
    np.savez(
        output,
        begun=calls[:, 0],
        seconds=calls[:, 1],
        code=calls[:, 2].astype(int),
        start=started[0],
        stop=stop,
    )


def _call(
    number: int,
    caller: Call,
    callers: int,
    barrier: threading.Barrier,
    told: threading.Event,
    kept: list[tuple[float, float, int]],
) -> None:
    for place in range(WARMUP_CALLS):
        caller(number + place * callers)
    barrier.wait()
    place = number
    while not told.is_set():
        begun = time.monotonic()
        code = caller(place)
        kept.append((begun, time.monotonic() - begun, code))
        place += callers
