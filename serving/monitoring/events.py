"""What a server tells whoever counts: metrics subscribe here, and nothing else needs to know of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from serving.errors import Code


@dataclasses.dataclass(frozen=True)
class RequestDone:
    """A request was answered.

    Attributes:
        api: `Predict`, `Classify`, `Regress`, `MultiInference`, `GetModelMetadata`, `GetModelStatus` or
            `HandleReloadConfigRequest`.
        entrypoint: `GRPC` or `REST`.
        model_name: the model asked for, `""` if the request names none.
        code: the status of the answer.
        seconds: from the decoded request to the response.
    """

    api: str
    entrypoint: str
    model_name: str
    code: Code
    seconds: float


@dataclasses.dataclass(frozen=True)
class GraphRun:
    """A graph ran for a request, alone or in a batch.

    Attributes:
        api: as in `RequestDone`.
        model_name: the model.
        seconds: how long the request waited for it, the time in a batching queue included.
        examples: how many Examples the request holds; 0 for `Predict`.
    """

    api: str
    model_name: str
    seconds: float
    examples: int = 0


@dataclasses.dataclass(frozen=True)
class SessionRun:
    """The session of a model ran its graph, once for a batch, also to warm up.

    Attributes:
        seconds: how long that took.
    """

    seconds: float


@dataclasses.dataclass(frozen=True)
class GraphBuilt:
    """The session of a model made ready to feed and fetch what it was not asked for before.

    Attributes:
        seconds: how long that took.
    """

    seconds: float


@dataclasses.dataclass(frozen=True)
class BatchDone:
    """A batch of requests ran as one, or failed.

    Attributes:
        thread_pool_name: as the batching parameters name it.
        queuing_seconds: for each request, how long it waited before the batch ran.
        sizes: for each request, its rows.
        padding: rows added to reach an allowed batch size.
    """

    thread_pool_name: str
    queuing_seconds: tuple[float, ...]
    sizes: tuple[int, ...]
    padding: int


@dataclasses.dataclass(frozen=True)
class LoadDone:
    """A version was loaded, or could not be.

    Attributes:
        model_name: the model.
        version: the version.
        path: the version's folder.
        code: OK if it was.
        seconds: how long that took, warm-up included.
    """

    model_name: str
    version: int
    path: str
    code: Code
    seconds: float


@dataclasses.dataclass(frozen=True)
class WarmupDone:
    """The requests that a version brings along were replayed, or one of them failed.

    Attributes:
        path: the version's folder.
        code: OK if all were answered.
        seconds: how long that took.
    """

    path: str
    code: Code
    seconds: float


Event: TypeAlias = RequestDone | GraphRun | SessionRun | GraphBuilt | BatchDone | LoadDone | WarmupDone


class Events:
    """Hands events to its subscribers, in the thread in which they happen."""

    def __init__(self) -> None:
        self._subscribers: tuple[Callable[[Event], None], ...] = ()

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Adds a subscriber, which must be quick and must not raise; before the server starts."""
        self._subscribers = (*self._subscribers, subscriber)

    def tell(self, event: Event) -> None:
        """Hands an event to every subscriber."""
        for subscriber in self._subscribers:
            subscriber(event)
