"""One exported version: what stands in `model/<version>/`, written whole and read back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Document, InputError, Schema, parse, whole_folder
from trainer.catalogue import Catalogue
from trainer.config import ExportConfig, SearchConfig
from trainer.index import Index, build_lifted_index
from trainer.progress import Progress
from trainer.search.answer import Search, index_meanings
from trainer.search.found_by import FoundBy
from trainer.search.terms import TermIndex
from trainer.serving_model import ServingModel
from trainer.warmup import write_warmup

DETAILS_FILE = "tandem.json"
FOUND_BY_FILE = "found_by.npz"
EXTRA = "assets.extra"
TOWERS = f"{EXTRA}/towers"
"""The learned parts once more, as a SavedModel of their own, from which later versions are built."""


class Details(Document):
    """`tandem.json`: what a version was made of.

    Attributes:
      format: of the SavedModel's parts; an older version cannot be rebuilt.
      items: indices of the catalogue, the two reserved ones included.
      added: how many of these items came after training.
      blend: weight of the ranking score in the serving score.
      validation: what training measured.
      fingerprint: of examples and config.
      attempt: names the attempt of a run's step that exported it; `""` outside of runs.
    """

    format: Literal[4] = 4
    name: str
    items: int
    added: int = 0
    dimension: int
    blend: float
    validation: dict[str, float | None]
    fingerprint: str
    attempt: str = ""
    search: SearchConfig
    export: ExportConfig

    @property
    def trained(self) -> Details:
        """The details as they were before items were added."""
        return self.model_copy(update={"items": self.items - self.added, "added": 0})

    @classmethod
    def read(cls, version: Path) -> Details:
        """Reads the details of a version's folder.

        Raises:
          InputError: there are none, or they are of another format.
        """
        path = version / EXTRA / DETAILS_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"{version}: no version that Tandem exported: there is no {path}") from None
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON: {error}") from None
        if isinstance(values, dict) and values.get("format", 1) != cls.model_fields["format"].default:
            raise InputError(
                f"{version}: exported by another version of Tandem; export it anew (`tandem train`)"
            )
        return parse(cls, values, str(path))


@dataclass(frozen=True)
class Items:
    """The items of a catalogue by index, the two reserved indices included.

    Attributes:
      ids, titles: `[N]`.
      vectors: `[N, D]` float.
      new: whether training saw no interaction with an item `[N]` bool.
      found_by: what they are searched by; None for a model that cannot be searched.
    """

    ids: list[str]
    titles: list[str]
    vectors: np.ndarray
    new: np.ndarray
    found_by: FoundBy | None

    def __add__(self, other: Items) -> Items:
        return Items(
            self.ids + other.ids,
            self.titles + other.titles,
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.new, other.new]),
            self.found_by + other.found_by if self.found_by and other.found_by else None,
        )


@dataclass(frozen=True)
class Version:
    """A version's parts, from which another one can be built.

    Attributes:
      towers: a `trainer.towers.Towers`, or what loading one gives.
      items: the catalogue.
      schema: of the examples.
      details: what it was made of.
      folder: where it stands; None when it was never written.
    """

    towers: Any
    items: Items
    schema: Schema
    details: Details
    folder: Path | None = None

    @classmethod
    def read(cls, folder: Path) -> Version:
        """Loads a version.

        Raises:
          InputError: the folder is no version that can be rebuilt, or it is damaged.
        """
        import tensorflow_text  # noqa: F401 (registers the tokeniser's operations)

        details, schema = Details.read(folder), Schema.read(folder / EXTRA)
        try:
            towers = tf.saved_model.load(str(folder / TOWERS))
            saved = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
            ids, titles, vectors, new = (
                saved.get_tensor(f"catalogue/{name}/.ATTRIBUTES/VARIABLE_VALUE")
                for name in ("item_ids", "titles", "vectors", "new")
            )
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise InputError(f"{folder}: cannot be loaded: {' '.join(str(error).split())}") from None
        items = Items(
            [item.decode() for item in ids],
            [title.decode() for title in titles],
            vectors,
            new,
            FoundBy.read(folder / EXTRA / FOUND_BY_FILE),
        )
        return cls(towers, items, schema, details, folder)

    def write(self, model: Path, progress: Progress) -> Path:
        """Builds the index and writes everything as the next version, which appears whole or not at all.

        Args:
          model: where versions go.
          progress: where to show it.

        Returns:
          the version's folder.
        """
        items, found_by = self.items, self.items.found_by
        lift = self.details.export.new_item_lift * items.new[RESERVED:]
        index = build_lifted_index(items.vectors[RESERVED:], lift, self.details.export, progress)
        folder = model / str(next_version(model))
        with (
            tempfile.TemporaryDirectory() as temporary,
            whole_folder(folder) as scratch,
        ):
            catalogue = Catalogue(items.ids, items.titles, items.vectors, items.new, Path(temporary))
            search = None if found_by is None else self._search(catalogue, index, found_by, progress)
            module = ServingModel(
                self.towers, catalogue, index, search, self.schema, self.details.export, self.details.blend
            )
            progress.say("Exporting the SavedModel")
            # Custom ops must be named, or loading them in a server would come as a surprise.
            options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
            tf.saved_model.save(module, str(scratch), module.signatures(), options)
            extra = scratch / EXTRA
            extra.mkdir()
            # What was loaded from a SavedModel is wrapped anew each time that it is saved; a copy is not.
            if self.folder is None:
                tf.saved_model.save(self.towers, str(scratch / TOWERS))
            else:
                shutil.copytree(self.folder / TOWERS, scratch / TOWERS)
            self.schema.write(extra)
            details = json.dumps(self.details.model_dump(mode="json"), indent=1)
            (extra / DETAILS_FILE).write_text(details + "\n", encoding="utf-8")
            if found_by is not None:
                found_by.write(extra / FOUND_BY_FILE)
            write_warmup(extra, items.ids, self.schema, searchable=found_by is not None)
        return folder

    def _search(self, catalogue: Catalogue, index: Index, found_by: FoundBy, progress: Progress) -> Search:
        language_model = self.schema.language_model
        assert language_model is not None  # or there would have been no texts to search
        return Search(
            self.towers,
            catalogue,
            index,
            index_meanings(found_by.vectors[RESERVED:], self.details.export, progress),
            found_by.vectors,
            TermIndex(found_by.terms, language_model.vocabulary_size),
            self.details.search,
            self.details.export.new_item_lift,
            self.details.export.k,
        )


def next_version(model: Path) -> int:
    """One more than the newest version in `model/`, or 1."""
    return newest_version(model) + 1


def newest_version(model: Path) -> int:
    """The newest version in `model/`, or 0."""
    return max((int(folder.name) for folder in model.glob("*") if folder.name.isdigit()), default=0)


@contextlib.contextmanager
def writing_alone(model: Path) -> Iterator[None]:
    """Lets one process at a time read the newest version and write the next.

    Raises:
      InputError: another process is at it.
    """
    model.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(model, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{model}: another command is writing a version here; wait for it") from None
        except OSError:
            pass  # a mounted bucket knows no locks, and there is nobody else to keep out of a training job
        yield
    finally:
        os.close(descriptor)
