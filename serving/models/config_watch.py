"""Keeps a server's models in line with its config file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from tensorflow_serving.config import model_server_config_pb2

from serving.errors import ServingError
from serving.models.manager import ModelManager
from serving.settings import config_files, model_configs
from serving.settings.model_configs import ModelConfig

log = logging.getLogger(__name__)


def parse(text: str, path: str) -> Sequence[ModelConfig]:
    """Reads which models to serve from the text of a `ModelServerConfig`.

    Args:
        text: what the file holds.
        path: the file, for messages.

    Raises:
        ServingError: it is none, or none that can be served.
    """
    config = config_files.parse(text, model_server_config_pb2.ModelServerConfig(), path)
    return model_configs.from_proto(config)


class ConfigWatch:
    """A thread that reads the config file again and again, and acts on what is new in it.

    Args:
        path: the file.
        text: what it held when the models were read from it.
        manager: the models.
        wait_s: time between two looks.
    """

    def __init__(self, path: str, text: str, manager: ModelManager, wait_s: float):
        self._path = path
        self._done = text
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
            if problem and problem != self._said:
                log.error("Could not take the config of %s: %s", self._path, problem)
            self._said = problem

    def _look(self) -> str:
        """Takes a config that differs from the last one that could be taken; gives what is wrong with it.

        One that cannot be taken is tried at every look: a label may wait for a version to be loaded.
        """
        try:
            text = config_files.read_text(self._path)
            if text != self._done:
                self._manager.reload(parse(text, self._path))
                self._done = text
        except ServingError as error:
            return str(error)
        except Exception as error:  # the watch must go on
            log.exception("Could not take the config of %s", self._path)
            return str(error)
        return ""
