"""Finds the versions of a model in the file system, and says which of them to serve.

A base path holds one folder a version, named by its number, as TensorFlow Serving expects it.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Callable, Collection, Mapping

import tensorflow as tf

from serving.errors import Code, ServingError

# What a version policy is: of the versions found, those that should be served. Two that choose alike
# are equal.
VersionPolicy = Callable[[Collection[int]], set[int]]

_NUMBER = re.compile(r"[0-9]+")
_MAX_VERSION = 2**63 - 1  # what TensorFlow Serving's messages can hold
_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


@dataclasses.dataclass(frozen=True)
class Latest:
    """The policy that serves the `count` highest versions."""

    count: int = 1

    def __call__(self, found: Collection[int]) -> set[int]:
        """Chooses of the versions found."""
        return set(sorted(found)[-self.count :])


def every(found: Collection[int]) -> set[int]:
    """The policy that serves all versions."""
    return set(found)


@dataclasses.dataclass(frozen=True)
class Specific:
    """The policy that serves the versions wanted, as far as they are there."""

    wanted: frozenset[int]

    def __call__(self, found: Collection[int]) -> set[int]:
        """Chooses of the versions found."""
        return set(found) & self.wanted


def find(base_path: str) -> dict[int, str]:
    """Lists the complete versions under a base path, local or any that TensorFlow reads (`gs://…`).

    Returns:
        The folder of each version, by number.

    Raises:
        ServingError: INVALID_ARGUMENT if the base path is missing or cannot be read.
    """
    return complete(numbered(base_path))


def numbered(base_path: str) -> dict[int, str]:
    """Lists the folders under a base path whose names are numbers, whatever they hold.

    Returns:
        The folders by number.

    Raises:
        ServingError: INVALID_ARGUMENT if the base path is missing or cannot be read.
    """
    try:
        names = tf.io.gfile.listdir(base_path)
    except tf.errors.OpError as error:
        raise ServingError(f"Could not find base path {base_path}: {error.message}") from error
    found = sorted(name for name in (name.rstrip("/") for name in names) if _is_version(name))
    return {int(name): posixpath.join(base_path, name) for name in found}


def _is_version(name: str) -> bool:
    return bool(_NUMBER.fullmatch(name)) and int(name) <= _MAX_VERSION


def complete(folders: Mapping[int, str]) -> dict[int, str]:
    """Picks the folders that hold a SavedModel; the others may be just about to be written."""
    return {version: folder for version, folder in folders.items() if is_complete(folder)}


def is_complete(folder: str) -> bool:
    """Tells whether a folder holds a SavedModel."""
    return any(tf.io.gfile.exists(posixpath.join(folder, name)) for name in _SAVED_MODEL_FILES)


def require(base_path: str) -> dict[int, str]:
    """Lists the complete versions as `find` does, and insists that there is one.

    Raises:
        ServingError: the base path is missing or holds no version; the message says what to do.
    """
    found = find(base_path)
    if found:
        return found
    if is_complete(base_path):
        raise ServingError(_misplaced(base_path.rstrip("/")), Code.NOT_FOUND)
    raise ServingError(
        f"no model version in {base_path}: a version is a folder named by a number that holds a SavedModel, "
        f"such as {posixpath.join(base_path, '1', 'saved_model.pb')}",
        Code.NOT_FOUND,
    )


def _misplaced(saved_model: str) -> str:
    parent, name = posixpath.split(saved_model)
    if _is_version(name):
        return f"{saved_model} is one version of a model; give the folder above it: {parent or '.'}"
    return f"{saved_model} is itself a SavedModel; move it into a version's folder: {saved_model}/1"
