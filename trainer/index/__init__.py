"""The index over item vectors that travels inside the SavedModel, one module a kind."""

from __future__ import annotations

import numpy as np

from trainer.config import ExportConfig
from trainer.index.index import Index
from trainer.index.lifted import LiftedIndex
from trainer.index.portable import ExactIndex, PartitionedIndex
from trainer.index.scann import ScannIndex
from trainer.progress import Progress

__all__ = ["Index", "build_index", "build_lifted_index"]


def build_index(vectors: np.ndarray, config: ExportConfig, progress: Progress) -> Index:
    """Builds the index that the config asks for.

    Args:
      vectors: `[N, D]` float, each of length 1 but for what it is lifted by.
      config: which kind, and its sizes.
      progress: where to show it.
    """
    progress.say(f"Building the {config.index} index of {len(vectors):,} items")
    if config.index == "scann":
        return ScannIndex(vectors, config.scann)
    if len(vectors) <= config.portable.brute_force_below:
        return ExactIndex(vectors)
    return PartitionedIndex(vectors, config.portable, progress)


def build_lifted_index(
    vectors: np.ndarray, lift: np.ndarray, config: ExportConfig, progress: Progress
) -> Index:
    """As `build_index`, with a constant `[N]` added to the scores of each item."""
    if not lift.any():
        return build_index(vectors, config, progress)
    return LiftedIndex(lambda lifted: build_index(lifted, config, progress), vectors, lift)
