"""What a request carries along to the graph, and what it takes back for the metrics."""

from __future__ import annotations

import dataclasses
import time

from serving.errors import Code, ServingError


@dataclasses.dataclass
class Run:
    """The running of a graph for one request.

    Attributes:
        deadline: on the clock of `time.monotonic`; what has not begun by then is not begun any more.
        examples: how many Examples the request holds, filled in on the way.
        seconds: how long the request waited for the graph, filled in by whoever runs it.
    """

    deadline: float | None = None
    examples: int = 0
    seconds: float = 0.0

    @classmethod
    def within(cls, timeout_s: float | None) -> Run:
        """Makes the run of a request that has so many seconds left; None is for ever."""
        return cls(None if timeout_s is None else time.monotonic() + timeout_s)

    def check_deadline(self) -> None:
        """Raises if the deadline is over.

        Raises:
            ServingError: DEADLINE_EXCEEDED.
        """
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise too_late()


def too_late() -> ServingError:
    """The error for a request whose deadline is over, in TensorFlow's words."""
    return ServingError("Timed out waiting for notification", Code.DEADLINE_EXCEEDED)
