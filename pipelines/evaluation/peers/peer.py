"""What a peer is, and how one is described before it is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.evaluation.cases import Indices, Interactions

Settings = Mapping[str, float]


class Peer(Protocol):
    """Scores the whole catalogue for somebody."""

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """Scores every item, higher is better.

        Args:
          users: `[B]` indices. Most peers look at the history alone.
          histories: the items of each, oldest first.

        Returns:
          `[B, N]`; a row of equal scores says that nothing is known.
        """


@dataclass(frozen=True)
class Kind:
    """A kind of peer with its grid.

    Attributes:
      name: as it stands in the table.
      grid: the settings to choose from.
      fit: gives a peer for each of some settings, in their order, fitted to some interactions.
    """

    name: str
    grid: Sequence[Settings]
    fit: Callable[[Interactions, Sequence[Settings]], Iterator[Peer]]


@dataclass(frozen=True)
class Trial:
    """What one point of a grid came to.

    Attributes:
      settings: by name.
      value: NDCG@10 on the validation part; of a bias the RMSE.
    """

    settings: Settings
    value: float
