"""Keeps a server's models in line with its config file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from tensorflow_serving.config import model_server_config_pb2

from serving.errors import Code, ServingError
from serving.models.manager import ModelManager
from serving.settings import config_files, model_configs
from serving.settings.model_configs import ModelConfig

log = logging.getLogger(__name__)


def parse(text: str, path: str) -> Sequence[ModelConfig] | None:
    """Reads which models to serve from the text of a `ModelServerConfig`.

    Args:
        text: what the file holds.
        path: the file, for messages.

    Returns:
        The models; None if it says nothing, as an empty file does.

    Raises:
        ServingError: it is none, or none that can be served.
    """
    config = config_files.parse(text, model_server_config_pb2.ModelServerConfig(), path)
    return model_configs.from_proto(config) if config.WhichOneof("config") else None


class ConfigWatch:
    """A thread that reads the config file again and again, and lets the server serve what it says.

    Args:
        path: the file.
        text: what it held at the start.
        configs: what `parse` made of the text.
        manager: the models.
        wait_s: time between two looks.
    """

    def __init__(
        self,
        path: str,
        text: str,
        configs: Sequence[ModelConfig] | None,
        manager: ModelManager,
        wait_s: float,
    ):
        self._path = path
        self._text = text
        self._configs = configs
        self._manager = manager
        self._wait_s = wait_s
        self._said = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model_config_poll", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more; a reload that has begun is finished first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(self._wait_s):
            problem = self._look()
            if problem and str(problem) != self._said:
                unexpected = None if isinstance(problem, ServingError) else problem
                log.error("Could not take the config of %s: %s", self._path, problem, exc_info=unexpected)
            self._said = str(problem or "")

    def _look(self) -> Exception | None:
        """Takes the file's config if the server has another; gives what is wrong with it.

        One that cannot be taken is tried at every look: a label may wait for a version to be loaded.
        """
        try:
            text = config_files.read_text(self._path)
            if text != self._text:
                self._configs = parse(text, self._path)
                self._text = text
            self._take()
        except Exception as error:  # the watch must go on
            return error
        return None

    def _take(self) -> None:
        served = self._manager.configs
        if self._configs is None and served:  # as in TensorFlow Serving; the file may be half written
            raise ServingError(
                "Cannot transition to requested config. It is only legal to transition from one "
                "ModelConfigList to another.",
                Code.FAILED_PRECONDITION,
            )
        if self._configs is not None and list(self._configs) != list(served):
            self._manager.reload(self._configs)
