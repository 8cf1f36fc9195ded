"""Makes the next version out of an exported one: with more items, or with another index."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import InputError
from trainer.config import ExportConfig
from trainer.progress import Progress
from trainer.search.found_by import FoundBy
from trainer.version import Items, Version

BATCH = 64


def check_content(version: Version) -> None:
    """Checks that the model can tell what an item is like that training never saw.

    Raises:
      InputError: it knows its items by their ids alone.
    """
    if not version.schema.items.columns:
        raise InputError(
            f"the model {version.details.name} knows items by their ids alone: there is nothing to tell "
            "what a new one is like; train with texts or attributes of items"
        )


def add_items(
    version: Version,
    ids: Sequence[str],
    titles: Sequence[str],
    cells: Mapping[str, Sequence[str]],
    model: Path,
    progress: Progress,
) -> Path:
    """Writes a version whose catalogue has more items, embedded from their texts and attributes.

    They stand behind the items that are there, as if training had never seen an interaction with them.

    Args:
      version: the version to start from; see `check_content`.
      ids: of the new items `[N]`, none of them in the catalogue.
      titles: what people call them `[N]`.
      cells: their raw columns by name, each `[N]`.
      model: where versions go.
      progress: where to show it.

    Returns:
      the new version's folder.
    """
    vectors, found_by = _embed(version, cells, len(ids), progress)
    details = version.details.model_copy(
        update={"items": version.details.items + len(ids), "added": version.details.added + len(ids)}
    )
    items = version.items + Items(list(ids), list(titles), vectors, np.ones(len(ids), bool), found_by)
    return replace(version, items=items, details=details).write(model, progress)


def reindex(version: Version, config: ExportConfig, model: Path, progress: Progress) -> Path:
    """Writes a version with the same items and another index.

    Returns:
      the new version's folder.
    """
    details = version.details.model_copy(update={"export": config})
    return replace(version, details=details).write(model, progress)


def _embed(
    version: Version, cells: Mapping[str, Sequence[str]], count: int, progress: Progress
) -> tuple[np.ndarray, FoundBy | None]:
    vectors, found_by = [], []
    with progress.bar("Embedding the new items", count) as advance:
        for begin in range(0, count, BATCH):
            batch = {name: tf.constant(list(column[begin : begin + BATCH])) for name, column in cells.items()}
            vectors.append(version.towers.embed_item(batch).numpy())
            if version.items.found_by is not None:
                found_by.append(FoundBy.of(*version.towers.search_item(batch)))
            advance(len(vectors[-1]))
    return np.concatenate(vectors), functools.reduce(operator.add, found_by) if found_by else None
