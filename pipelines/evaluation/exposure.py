"""How popular what is shown is, beside what people went for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.evaluation.cases import Indices
from pipelines.evaluation.slices import popularity_bands
from preprocessing.schema import RESERVED


@dataclass(frozen=True)
class Exposure:
    """The share that some of the items have.

    Attributes:
      catalogue: of the catalogue's items.
      wanted: of the targets.
      shown: of the places of everybody's lists, by row.
    """

    catalogue: float
    wanted: float
    shown: Mapping[str, float]


def exposure(item_counts: Indices, wanted: Indices, shown: Mapping[str, Indices]) -> dict[str, Exposure]:
    """Compares the popularity of what is shown and of what is wanted: head, torso, tail and unseen items.

    Args:
      item_counts: `[N]`, interactions before the part of each item.
      wanted: `[T]`, the targets.
      shown: the lists `[C, K]` by row, padded at their ends.
    """
    head, tail = popularity_bands(item_counts)
    seen = item_counts > 0
    groups = {"head": head & seen, "torso": seen & ~head & ~tail, "tail": tail & seen, "unseen": ~seen}
    lists = {row: items[items >= RESERVED] for row, items in shown.items()}
    return {
        name: Exposure(
            catalogue=float(held[RESERVED:].mean()),
            wanted=float(held[wanted].mean()),
            shown={row: float(held[items].mean()) for row, items in lists.items() if len(items)},
        )
        for name, held in groups.items()
    }
