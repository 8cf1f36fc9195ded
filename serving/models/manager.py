"""The models of a server, by name, and the thread that watches the file system for their new versions."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures

from tensorflow_serving.apis import model_pb2

from serving.errors import Code, ServingError
from serving.models import labels
from serving.models.saved_model import LoadedModel
from serving.models.servables import Model, Retries, Servable, VersionStatus, not_found
from serving.monitoring.events import Events
from serving.settings.model_configs import ModelConfig

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Watch:
    """How models are kept in line with the file system.

    Attributes:
        poll_wait_s: time between two looks; 0 looks once, at the start, and a negative number never looks, so
            that nothing is ever loaded.
        retries: when a version that could not be loaded is tried again.
        unavailable_labels: which labels may mean versions that are not loaded.
    """

    poll_wait_s: float = 1.0
    retries: Retries = dataclasses.field(default_factory=Retries)
    unavailable_labels: labels.Unavailable = labels.Unavailable.NONE


class ModelManager:
    """Keeps every model's loaded versions in line with the file system.

    Args:
        configs: the models to serve.
        load: makes a `LoadedModel` of a version's folder.
        watch: how to look for versions.
        events: where metrics subscribe.

    Attributes:
        events: as above.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        load: Callable[[str], LoadedModel],
        watch: Watch,
        events: Events,
    ):
        self.events = events
        self._load = load
        self._watch = watch
        self._configs: Sequence[ModelConfig] = list(configs)
        self._labels: labels.Labels = {}
        # Models that are no longer served stay, without versions, so that their states can be told.
        self._models: dict[str, Model] = {}
        self._unloader = futures.ThreadPoolExecutor(1, "unload")
        self._configuring = threading.Lock()
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="file_system_poll", daemon=True)

    @property
    def configs(self) -> Sequence[ModelConfig]:
        """The models that are to be served."""
        return self._configs

    def start(self) -> None:
        """Loads a version of every model, waiting for it to appear, then keeps watching.

        Raises:
            ServingError: a model has no version that can be loaded, a label means a version that is not
                there, or there is no version and nobody looks for one again.
        """
        # As in TensorFlow Serving, whose labels are assigned before anything is loaded.
        self._labels = self._assign_labels(self._configs)
        if self._watch.poll_wait_s < 0:
            return
        models = [self._take(config) for config in self._configs]
        self._load_first(models)
        _require_available("servable(s)", models)
        if self._watch.poll_wait_s > 0:
            self._poller.start()

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serves other models: loads new ones, unloads those that are gone, and takes policies and labels.

        Raises:
            ServingError: a label means a version that is not there, and then nothing changes; or a new model
                did not become available, and then it is watched like the others.
        """
        with self._configuring:
            self._labels = self._assign_labels(configs)
            served = {config.name for config in self._configs}
            self._configs = configs
            wanted = {config.name for config in configs}
            for name, model in self._models.items():
                if name not in wanted:
                    model.retire()
            taken = [self._take(config) for config in configs]
            fresh = [model for model in taken if model.name not in served]
            problems = {model.name: _refresh(model) for model in taken}
            for problem in filter(None, problems.values()):
                log.error("%s", problem)
            for model in fresh:
                if problems[model.name]:
                    raise ServingError(problems[model.name])
            _require_available("model(s)", fresh)

    def close(self) -> None:
        """Stops watching and unloads every model at once; requests still in flight are cancelled."""
        self._stopping.set()
        if self._poller.is_alive():
            self._poller.join()
        self._unloader.shutdown()
        for model in self._models.values():
            model.close()

    def acquire(self, spec: model_pb2.ModelSpec) -> Servable:
        """Takes the version that a request asks for; use it in a `with` statement.

        Raises:
            ServingError: NOT_FOUND if it is not loaded, INVALID_ARGUMENT if the spec names no model or a
                label that is unknown.
        """
        if not spec.name:
            raise ServingError("ModelSpec has no name specified.")
        version = None
        if spec.HasField("version"):
            version = spec.version.value
        elif spec.HasField("version_label"):
            version = labels.resolve(self._labels, spec.name, spec.version_label)
        model = self._models.get(spec.name)
        if model is None:
            raise not_found(spec.name, version)
        return model.acquire(version)

    def statuses(self, name: str) -> Sequence[VersionStatus]:
        """What became of every version of a model, the highest first; nothing for an unknown model."""
        return self._models[name].statuses() if name in self._models else []

    def _take(self, config: ModelConfig) -> Model:
        model = self._models.get(config.name)
        if model is None:
            model = Model(config, self._load, self._watch.retries, self._dispose, self.events)
            # Requests look the name up meanwhile, so the dictionary is replaced and never changed.
            self._models = {**self._models, config.name: model}
        else:
            model.reconfigure(config)
        return model

    def _load_first(self, models: Sequence[Model]) -> None:
        """Refreshes models until each has a version, loaded or failed, as TensorFlow Serving waits for them.

        Raises:
            ServingError: there is none, and no second look.
        """
        said: dict[str, str] = {}
        waiting = list(models)
        while not self._stopping.is_set():
            for model in waiting:
                _refresh(model)
            waiting = [model for model in waiting if not model.statuses()]
            if not waiting:
                return
            for model in waiting:
                problem = model.why_missing()
                if not self._watch.poll_wait_s:
                    raise problem
                if str(problem) != said.get(model.name):
                    log.warning("Waiting for a version of %s: %s", model.name, problem)
                said[model.name] = str(problem)
            self._stopping.wait(self._watch.poll_wait_s)

    def _dispose(self, free: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # shut down: the process is about to end
            self._unloader.submit(free)

    def _assign_labels(self, configs: Sequence[ModelConfig]) -> labels.Labels:
        return labels.assign(configs, self._labels, self._available, self._watch.unavailable_labels)

    def _available(self, name: str) -> set[int]:
        return set(self._models[name].available()) if name in self._models else set()

    def _poll(self) -> None:
        said: dict[str, str] = {}
        while not self._stopping.wait(self._watch.poll_wait_s):
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
        log.exception("Could not look for versions of %s", model.name)
    return ""


def _require_available(what: str, models: Iterable[Model]) -> None:
    """Insists that each model has a version that serves.

    Raises:
        ServingError: UNKNOWN with the versions that cannot be loaded and why, in TensorFlow Serving's words;
            NOT_FOUND if there are none.
    """
    missing = [model for model in models if not model.available()]
    failed = [
        f"{{{{name: {model.name} version: {status.version}}} due to error: "
        f"{status.code.name}: {status.message}}}, "
        for model in missing
        for status in model.statuses()
        if status.code != Code.OK
    ]
    if failed:
        message = f"{len(failed)} {what} did not become available: {{{''.join(failed)}}}"
        raise ServingError(message, Code.UNKNOWN)
    if missing:
        raise missing[0].why_missing()
