"""One model by name: which of its versions are loaded, and what became of the others."""

from __future__ import annotations

import dataclasses
import enum
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from types import TracebackType

from serving.errors import Code, ServingError
from serving.models import versions
from serving.models.saved_model import Call, LoadedModel
from serving.monitoring.events import Events, LoadDone
from serving.settings.model_configs import ModelConfig

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
class Retries:
    """When a version that could not be loaded is tried again.

    Attributes:
        count: how often.
        interval_s: the least time between two tries.
    """

    count: int = 5
    interval_s: float = 60.0


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
        self._when_idle: Callable[[], object] | None = None

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

    def retire(self, when_idle: Callable[[], object]) -> None:
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
    complete: bool  # whether the folder held a SavedModel at all


class Model:
    """The versions of one model: `refresh` loads and unloads them, `acquire` hands them to requests.

    Args:
        config: where the versions are and which to serve.
        load: makes a `LoadedModel` of a version's folder; raises `ServingError`.
        retries: when a version that failed is tried again.
        dispose: runs what frees a version; a request that was the version's last must not wait for it.
        events: where a `LoadDone` is told.

    Attributes:
        name: what requests call it.
    """

    def __init__(
        self,
        config: ModelConfig,
        load: Callable[[str], LoadedModel],
        retries: Retries,
        dispose: Callable[[Callable[[], None]], object],
        events: Events,
    ):
        self.name = config.name
        self._config: ModelConfig | None = config
        self._load = load
        self._retries = retries
        self._dispose = dispose
        self._events = events
        self._lock = threading.Lock()
        self._servables: dict[int, Servable] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._refreshing = threading.Lock()
        self._failures: dict[int, _Failure] = {}

    def acquire(self, version: int | None = None) -> Servable:
        """Takes a version for one request, the latest if none is named; use it in a `with` statement.

        Clients that know no version ask for 0 (ovmsclient, for one): that is the latest too, unless there is
        a version 0.

        Raises:
            ServingError: NOT_FOUND if it is not loaded.
        """
        with self._lock:
            servable = self._servables.get(version) if version is not None else None
            if servable is None and not version and self._servables:
                servable = self._servables[max(self._servables)]
            if servable is None:
                raise not_found(self.name, version)
            servable.acquire()
            return servable

    def statuses(self) -> Sequence[VersionStatus]:
        """What became of every version ever seen, the highest first."""
        with self._lock:
            return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    def available(self) -> Collection[int]:
        """The versions that requests can have."""
        with self._lock:
            return set(self._servables)

    def refresh(self) -> None:
        """Brings the loaded versions in line with the file system, loading before it unloads.

        While no wanted version can be loaded, the old ones keep serving.

        Raises:
            ServingError: the base path cannot be read; everything stays as it is.
        """
        with self._refreshing:
            if self._config is None:
                return
            found = versions.numbered(self._config.base_path)
            if not self._servables:
                found = versions.complete(found)  # better an older version than none
            wanted = self._config.policy(found)
            for version in set(self._failures) - set(found):
                del self._failures[version]  # taken away; if it comes back, it is another
            for version in sorted(wanted - set(self._servables), reverse=True):
                if self._may_try(version, found[version]):
                    self._load_version(version, found[version])
            if not wanted or wanted & set(self._servables):
                for version in set(self._servables) - wanted:
                    self._unload_version(version)

    def reconfigure(self, config: ModelConfig) -> None:
        """Takes another base path and policy; the next `refresh` acts on them."""
        with self._refreshing:
            if self._config is None or config.base_path != self._config.base_path:
                self._failures.clear()
            self._config = config

    def retire(self) -> None:
        """Unloads every version, each after its last request; `refresh` loads none until `reconfigure`."""
        with self._refreshing:
            self._config = None
            for version in set(self._servables):
                self._unload_version(version)

    def close(self) -> None:
        """Unloads every version at once; a request that is still in flight is cancelled."""
        with self._refreshing, self._lock:
            for servable in self._servables.values():
                servable.model.close()
            self._servables.clear()

    def why_missing(self) -> ServingError:
        """Gives the error for a model that has no version to load; it says what to do."""
        if self._config is None:
            return not_found(self.name, None)
        try:
            found = versions.require(self._config.base_path)
        except ServingError as error:
            return error
        listed = ", ".join(map(str, sorted(found)))
        return ServingError(
            f"the version policy takes none of the versions in {self._config.base_path}: {listed}",
            Code.NOT_FOUND,
        )

    def _may_try(self, version: int, folder: str) -> bool:
        failure = self._failures.get(version)
        if failure is None:
            return True
        if not failure.complete:  # it was being written, perhaps
            return versions.is_complete(folder)
        return failure.tries <= self._retries.count and time.monotonic() >= failure.retry_at

    def _load_version(self, version: int, folder: str) -> None:
        log.info("Loading servable version {name: %s version: %d} from %s", self.name, version, folder)
        self._set_status(VersionStatus(version, State.LOADING))
        begun = time.monotonic()
        code = Code.OK
        try:
            model = self._load_prepared(folder)
        except Exception as error:  # whatever a broken folder raises, the versions in memory must live on
            code = self._note_failure(version, folder, error)
        else:
            self._serve(version, model)
        seconds = time.monotonic() - begun
        self._events.tell(LoadDone(self.name, version, folder, code, seconds))

    def _load_prepared(self, folder: str) -> LoadedModel:
        model = self._load(folder)
        try:
            model.prepare(self._calls_in_use())
        except BaseException:
            model.close()
            raise
        return model

    def _serve(self, version: int, model: LoadedModel) -> None:
        self._failures.pop(version, None)
        with self._lock:
            self._servables[version] = Servable(self.name, version, model)
            self._statuses[version] = VersionStatus(version, State.AVAILABLE)
        log.info("Successfully loaded servable version {name: %s version: %d}", self.name, version)

    def _calls_in_use(self) -> Collection[Call]:
        """What the newest version has been asked for."""
        with self._lock:
            newest = max(self._servables, default=None)
            return self._servables[newest].model.calls if newest is not None else ()

    def _note_failure(self, version: int, folder: str, error: Exception) -> Code:
        code, unexpected = (error.code, None) if isinstance(error, ServingError) else (Code.INTERNAL, error)
        name = self.name
        log.error(
            "Servable: {name: %s version: %d} cannot be loaded: %s", name, version, error, exc_info=unexpected
        )
        before = self._failures.get(version)
        tries = before.tries + 1 if before and before.complete else 1
        retry_at = time.monotonic() + self._retries.interval_s
        self._failures[version] = _Failure(tries, retry_at, versions.is_complete(folder))
        self._set_status(VersionStatus(version, State.END, code, str(error)))
        return code

    def _unload_version(self, version: int) -> None:
        with self._lock:
            servable = self._servables.pop(version)
            self._statuses[version] = VersionStatus(version, State.UNLOADING)

        def close() -> None:
            servable.model.close()
            with self._lock:
                # It may have been loaded again while its last request was in flight.
                if self._statuses[version].state == State.UNLOADING:
                    self._statuses[version] = VersionStatus(version, State.END)
            log.info("Unloaded servable version {name: %s version: %d}", self.name, version)

        servable.retire(when_idle=lambda: self._dispose(close))

    def _set_status(self, status: VersionStatus) -> None:
        with self._lock:
            self._statuses[status.version] = status


def not_found(name: str, version: int | None) -> ServingError:
    """The error for a model or version that is not loaded, in TensorFlow Serving's words."""
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return ServingError(f"Servable not found for request: {request}", Code.NOT_FOUND)
