"""Times the epochs of a training."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trainer.progress import Progress


class TimedProgress(Progress):
    """Shows progress, and remembers when each epoch began and ended, validation included.

    What is timed is the processor's time of this process: a clock on the wall would also tell what else the
    machine was busy with.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._moments: list[float] = []

    @contextmanager
    def training(self, done: int, epochs: int) -> Iterator[None]:
        """A bar over epochs, see `Progress.training`."""
        self._moments = [time.process_time()]
        with super().training(done, epochs):
            yield

    def epoch(self, number: int, loss: float, metrics: dict[str, float], best: int) -> None:
        """Tells that an epoch is done."""
        self._moments.append(time.process_time())
        super().epoch(number, loss, metrics, best)

    @property
    def epoch_seconds(self) -> float | None:
        """The median epoch, without the first where there are more: it also traces the graph."""
        taken = [end - begin for begin, end in zip(self._moments, self._moments[1:], strict=False)]
        return round(statistics.median(taken[1:] or taken), 1) if taken else None
