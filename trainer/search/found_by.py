"""What the items of a version are searched by."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import write_whole


@dataclass(frozen=True)
class FoundBy:
    """Search vectors and terms of items, in the order of their indices.

    Attributes:
      vectors: `[N, H]` float; zero for the reserved indices.
      terms: the token ids of each.
    """

    vectors: np.ndarray
    terms: list[np.ndarray]

    def __add__(self, other: FoundBy) -> FoundBy:
        return FoundBy(np.concatenate([self.vectors, other.vectors]), self.terms + other.terms)

    @classmethod
    def of(cls, vectors: tf.Tensor, terms: tf.Tensor) -> FoundBy:
        """Takes search vectors `[N, H]` and zero-padded terms `[N, T]` as a model gives them."""
        return cls(vectors.numpy(), [row[row > 0] for row in terms.numpy()])

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        content = io.BytesIO()
        lengths = np.array([len(row) for row in self.terms], np.int64)
        terms = np.concatenate([np.zeros(0, np.int32), *self.terms]).astype(np.int32)
        np.savez_compressed(content, vectors=self.vectors, terms=terms, lengths=lengths)
        write_whole(path, content.getbuffer())

    @classmethod
    def read(cls, path: Path) -> FoundBy | None:
        """Reads what `write` wrote; None for a model that cannot be searched."""
        if not path.exists():
            return None
        with np.load(path) as kept:
            ends = np.cumsum(kept["lengths"])[:-1]
            return cls(kept["vectors"], np.split(kept["terms"], ends))
