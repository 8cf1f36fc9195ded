"""What the benchmark found, as numbers, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.serving_load.loop import Calls

ECHO, IN_PROCESS, SERVER, BATCHING = "echo", "in process", "tandem", "tandem, batching"
EXACT, SCANN, PORTABLE = "exact", "scann", "portable"
GOAL_SIZE = 1_000_000


@dataclass(frozen=True)
class Latencies:
    """What a load came to.

    Attributes:
      calls: how many were answered.
      failures: how many were not.
      per_second: answered calls a second.
      p50, p90, p99: milliseconds; 0 if there was no answer.
    """

    calls: int
    failures: int
    per_second: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class LoadResult:
    """One target under the load of so many callers.

    Attributes:
      target: what was loaded.
      callers: how many there were.
      latencies: what it came to.
      rate_to_echo: its share of the echo's requests a second.
      p50_to_echo: its p50 as a multiple of the echo's.
    """

    target: str
    callers: int
    latencies: Latencies
    rate_to_echo: float
    p50_to_echo: float


@dataclass(frozen=True)
class SwapResult:
    """Versions swapped under load.

    Attributes:
      callers: how many there were.
      calm: before the first swap.
      swapping: from the first swap's start to the last one's end.
      seconds: from publishing each version until it served alone.
      codes: how many calls ended with which status, but OK.
    """

    callers: int
    calm: Latencies
    swapping: Latencies
    seconds: Sequence[float]
    codes: dict[str, int]


@dataclass(frozen=True)
class IndexResult:
    """One kind of index over so many vectors.

    Attributes:
      recall: of the 10 best that brute force finds, the share found.
      p50, p99: milliseconds of one query.
      per_second: queries answered one after another in a second.
      batched_per_second: queries answered in batches in a second.
      build_seconds: from vectors to the index.
      build_peak: MiB that building added to the process at its peak, above the vectors themselves.
      memory: MiB that loading and asking the index added to a process at its peak.
    """

    kind: str
    size: int
    recall: float
    p50: float
    p99: float
    per_second: float
    batched_per_second: float
    build_seconds: float
    build_peak: float
    memory: float


@dataclass(frozen=True)
class Goal:
    """Something that is to be reached."""

    name: str
    value: float
    limit: str
    reached: bool


@dataclass
class Results:
    """All that was measured."""

    load: list[LoadResult] = field(default_factory=list)
    swaps: SwapResult | None = None
    index: list[IndexResult] = field(default_factory=list)

    def goals(self) -> list[Goal]:
        """Compares with what is to be reached, as far as it was measured."""
        return [*self._load_goals(), *self._swap_goals(), *self._index_goals()]

    def _load_goals(self) -> list[Goal]:
        goals = []
        for result in self.load:
            if (result.target, result.callers) == (SERVER, 1):
                value = result.p50_to_echo
                goals.append(Goal("p50 of 1 caller, to the echo's", value, "≤ 2", value <= 2))
            if (result.target, result.callers) == (BATCHING, 16):
                value = result.rate_to_echo
                goals.append(
                    Goal(
                        "calls/s of 16 callers with batching, to the echo's",
                        value,
                        "≥ 0.5",
                        value >= 0.5,
                    )
                )
        return goals

    def _swap_goals(self) -> list[Goal]:
        if self.swaps is None:
            return []
        failures = self.swaps.swapping.failures + self.swaps.calm.failures
        ratio = self.swaps.swapping.p99 / self.swaps.calm.p99 if self.swaps.calm.p99 else float("inf")
        swaps = len(self.swaps.seconds)
        return [
            Goal(f"failed requests during {swaps} swaps", failures, "0", failures == 0),
            Goal(f"p99 during {swaps} swaps, to the calm one", ratio, "< 5", ratio < 5),
        ]

    def _index_goals(self) -> list[Goal]:
        found = {each.kind: each for each in self.index if each.size == GOAL_SIZE}
        goals = []
        for kind, recall, times in ((SCANN, 0.98, 20), (PORTABLE, 0.97, 3)):
            if kind not in found or EXACT not in found:
                continue
            rate = found[kind].per_second / found[EXACT].per_second
            goals += [
                Goal(
                    f"{kind} at 1M: recall@10",
                    found[kind].recall,
                    f"≥ {recall}",
                    found[kind].recall >= recall,
                ),
                Goal(f"{kind} at 1M: queries/s, to brute force's", rate, f"≥ {times}", rate >= times),
            ]
        return goals


def summarise(rounds: Sequence[Calls]) -> Latencies:
    """Puts the calls of several loads together; to the rate, only what was answered in time counts."""
    seconds = np.concatenate([each.seconds[each.code == 0] for each in rounds])
    in_time = sum(int(((each.code == 0) & (each.begun + each.seconds <= each.stop)).sum()) for each in rounds)
    failures = sum(int((each.code != 0).sum()) for each in rounds)
    duration = sum(each.stop - each.start for each in rounds)
    p50, p90, p99 = np.percentile(seconds, (50, 90, 99)) * 1000 if len(seconds) else (0.0, 0.0, 0.0)
    return Latencies(len(seconds), failures, in_time / duration, float(p50), float(p90), float(p99))
