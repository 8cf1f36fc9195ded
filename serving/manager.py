"""The models of a server, by name, and the thread that watches the file system for their new versions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from tensorflow_serving.apis import model_pb2

from serving import versions
from serving.errors import Code, ServingError
from serving.saved_model import LoadedModel
from serving.servables import Model, ModelConfig, Servable, State, VersionStatus, not_found

log = logging.getLogger(__name__)


class ModelManager:
    """Keeps every model's loaded versions in line with the file system.

    Args:
        configs: the models to serve.
        load: makes a `LoadedModel` of a version's folder.
        poll_wait_seconds: time between two looks at the file system; 0 looks once, at the start, and a
            negative number never looks, so that nothing is ever loaded.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        load: Callable[[str], LoadedModel],
        poll_wait_seconds: float = 1.0,
    ):
        self._models = {config.name: Model(config, load) for config in configs}
        self._poll_wait_seconds = poll_wait_seconds
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="file_system_poll", daemon=True)

    def start(self) -> None:
        """Loads what there is, then keeps watching.

        Raises:
            ServingError: a base path is missing or empty, or a version in it cannot be loaded.
        """
        if self._poll_wait_seconds < 0:
            return
        for model in self._models.values():
            versions.require(model.config.base_path)
            model.refresh()
        _require_available(self._models.values())
        if self._poll_wait_seconds > 0:
            self._poller.start()

    def close(self) -> None:
        """Stops watching and unloads every model at once; requests still in flight are cancelled."""
        self._stopping.set()
        if self._poller.is_alive():
            self._poller.join()
        for model in self._models.values():
            model.close()

    def acquire(self, spec: model_pb2.ModelSpec) -> Servable:
        """Takes the version that a request asks for; use it in a `with` statement.

        Raises:
            ServingError: NOT_FOUND if it is not loaded, INVALID_ARGUMENT if the spec names no model or
                a version label.
        """
        if not spec.name:
            raise ServingError("ModelSpec has no name specified.")
        if spec.HasField("version_label"):
            raise ServingError(f"Unrecognized servable version label: {spec.version_label}")
        version = spec.version.value if spec.HasField("version") else None
        if spec.name not in self._models:
            raise not_found(spec.name, version)
        return self._models[spec.name].acquire(version)

    def statuses(self, name: str) -> Sequence[VersionStatus]:
        """What became of every version of a model, the highest first; nothing for an unknown model."""
        return self._models[name].statuses() if name in self._models else []

    def _poll(self) -> None:
        said: dict[str, str] = {}
        while not self._stopping.wait(self._poll_wait_seconds):
            for name, model in self._models.items():
                problem = _refresh(model)
                if problem and problem != said.get(name):
                    log.error("%s", problem)
                said[name] = problem


def _refresh(model: Model) -> str:
    """Refreshes a model; a passing fault is said, not raised, because the watch must go on."""
    try:
        model.refresh()
    except ServingError as error:
        return str(error)
    except Exception:
        log.exception("Could not look for versions of %s", model.config.name)
    return ""


def _require_available(models: Iterable[Model]) -> None:
    failed = [
        f"{{{{name: {model.config.name} version: {status.version}}} due to error: "
        f"{status.code.name}: {status.message}}}, "
        for model in models
        for status in model.statuses()
        if status.state != State.AVAILABLE
    ]
    if failed:
        message = f"{len(failed)} servable(s) did not become available: {{{''.join(failed)}}}"
        raise ServingError(message, Code.UNKNOWN)
