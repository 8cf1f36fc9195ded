"""Nested lists as they came from JSON, laid flat."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any


@dataclasses.dataclass(frozen=True)
class Dense:
    """A regular nesting of lists: its shape, and what stands in it from left to right."""

    shape: tuple[int, ...]
    leaves: list[Any]


def flatten(value: Any) -> Dense | None:
    """Lays nested lists flat; None if they are ragged. A bare value has no dimension.

    The first leaf is no list. That the others are none either is for the caller to see, who looks at the
    types of all of them anyway.
    """
    shape = []
    leaves = [value]
    while leaves and isinstance(leaves[0], list):
        size = len(leaves[0])
        if set(map(type, leaves)) != {list} or set(map(len, leaves)) != {size}:
            return None
        shape.append(size)
        leaves = list(itertools.chain.from_iterable(leaves))
    return Dense(tuple(shape), leaves)
