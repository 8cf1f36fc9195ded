"""One model by name: which of its versions are loaded, and what became of the others."""

from __future__ import annotations

import dataclasses
import enum
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from serving import versions
from serving.errors import Code, ServingError
from serving.saved_model import LoadedModel

log = logging.getLogger(__name__)


class State(enum.IntEnum):
    """The life of a version, numbered as in `ModelVersionStatus`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """What became of a version; `code` and `message` tell why one that failed is at its END."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model to serve, with TensorFlow Serving's names and defaults.

    Attributes:
        name: what requests call it.
        base_path: the folder above its versions.
        policy: which of the versions found to serve.
        max_num_load_retries: how often a version that failed is tried again.
        load_retry_interval_s: the least time between two tries.
    """

    name: str
    base_path: str
    policy: versions.VersionPolicy = versions.latest
    max_num_load_retries: int = 5
    load_retry_interval_s: float = 60.0


class Servable:
    """A loaded version that counts the requests in flight, so that it is closed only after the last.

    `with` around a request releases what `Model.acquire` took.
    """

    def __init__(self, name: str, version: int, model: LoadedModel):
        self.name = name
        self.version = version
        self.model = model
        self._lock = threading.Lock()
        self._in_flight = 0
        self._when_idle: Callable[[], None] | None = None

    def acquire(self) -> None:
        """Notes that a request begins."""
        with self._lock:
            self._in_flight += 1

    def __enter__(self) -> Servable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._in_flight -= 1
            when_idle = self._when_idle if self._in_flight == 0 else None
        if when_idle:
            when_idle()

    def retire(self, when_idle: Callable[[], None]) -> None:
        """Calls `when_idle` once, after the last request in flight; no request may be acquired any more."""
        with self._lock:
            if self._in_flight:
                self._when_idle = when_idle
                return
        when_idle()


@dataclasses.dataclass
class _Failure:
    tries: int
    retry_at: float


class Model:
    """The versions of one model: `refresh` loads and unloads them, `acquire` hands them to requests.

    Args:
        config: where the versions are and which to serve.
        load: makes a `LoadedModel` of a version's folder; raises `ServingError`.
    """

    def __init__(self, config: ModelConfig, load: Callable[[str], LoadedModel]):
        self.config = config
        self._load = load
        self._lock = threading.Lock()
        self._servables: dict[int, Servable] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._refreshing = threading.Lock()
        self._failures: dict[int, _Failure] = {}

    def acquire(self, version: int | None = None) -> Servable:
        """Takes a version for one request, the latest if none is named; use it in a `with` statement.

        Raises:
            ServingError: NOT_FOUND if it is not loaded.
        """
        with self._lock:
            wanted = max(self._servables, default=None) if version is None else version
            servable = self._servables.get(wanted) if wanted is not None else None
            if servable is None:
                raise not_found(self.config.name, version)
            servable.acquire()
            return servable

    def statuses(self) -> Sequence[VersionStatus]:
        """What became of every version ever seen, the highest first."""
        with self._lock:
            return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    def refresh(self) -> None:
        """Brings the loaded versions in line with the file system, loading before it unloads.

        While no wanted version can be loaded, the old ones keep serving.

        Raises:
            ServingError: the base path cannot be read; everything stays as it is.
        """
        with self._refreshing:
            found = versions.find(self.config.base_path)
            wanted = self.config.policy(found)
            for version in set(self._failures) - set(found):
                del self._failures[version]  # taken away; if it comes back, it is another
            for version in sorted(wanted - set(self._servables), reverse=True):
                if self._may_try(version):
                    self._load_version(version, found[version])
            if not wanted or wanted & set(self._servables):
                for version in set(self._servables) - wanted:
                    self._unload_version(version)

    def close(self) -> None:
        """Unloads every version at once; a request that is still in flight is cancelled."""
        with self._refreshing, self._lock:
            for servable in self._servables.values():
                servable.model.close()
            self._servables.clear()

    def _may_try(self, version: int) -> bool:
        failure = self._failures.get(version)
        if failure is None:
            return True
        return failure.tries <= self.config.max_num_load_retries and time.monotonic() >= failure.retry_at

    def _load_version(self, version: int, folder: str) -> None:
        log.info("Loading servable version {name: %s version: %d} from %s", self.config.name, version, folder)
        self._set_status(VersionStatus(version, State.LOADING))
        try:
            servable = Servable(self.config.name, version, self._load(folder))
        except Exception as error:  # whatever a broken folder raises, the versions in memory must live on
            self._note_failure(version, error)
            return
        self._failures.pop(version, None)
        with self._lock:
            self._servables[version] = servable
            self._statuses[version] = VersionStatus(version, State.AVAILABLE)
        log.info("Successfully loaded servable version {name: %s version: %d}", self.config.name, version)

    def _note_failure(self, version: int, error: Exception) -> None:
        code, unexpected = (error.code, None) if isinstance(error, ServingError) else (Code.INTERNAL, error)
        name = self.config.name
        log.error(
            "Servable: {name: %s version: %d} cannot be loaded: %s", name, version, error, exc_info=unexpected
        )
        tries = self._failures[version].tries + 1 if version in self._failures else 1
        self._failures[version] = _Failure(tries, time.monotonic() + self.config.load_retry_interval_s)
        self._set_status(VersionStatus(version, State.END, code, str(error)))

    def _unload_version(self, version: int) -> None:
        with self._lock:
            servable = self._servables.pop(version)
            self._statuses[version] = VersionStatus(version, State.UNLOADING)

        def close() -> None:
            servable.model.close()
            self._set_status(VersionStatus(version, State.END))
            log.info("Unloaded servable version {name: %s version: %d}", self.config.name, version)

        servable.retire(when_idle=close)

    def _set_status(self, status: VersionStatus) -> None:
        with self._lock:
            self._statuses[status.version] = status


def not_found(name: str, version: int | None) -> ServingError:
    """The error for a model or version that is not loaded, in TensorFlow Serving's words."""
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return ServingError(f"Servable not found for request: {request}", Code.NOT_FOUND)
