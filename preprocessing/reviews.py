"""Reviews: the texts of training interactions, on their way to the items and the users they belong to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from preprocessing.batches import unpack
from preprocessing.columns import ReviewColumn
from preprocessing.histories import Histories
from preprocessing.ids import Ids
from preprocessing.split import TRAIN

Review: TypeAlias = tuple[int, int, tuple[str, ...]]
"""The time and the place of an interaction, and its texts in the order of their columns."""


def newest(reviews: Iterable[Review], limit: int) -> list[Review]:
    """Chooses the newest reviews; of the same moment, the one that stands later in the input comes first."""
    return sorted(reviews, reverse=True)[:limit]


def training_reviews(histories: Histories, ids: Ids, limit: int) -> dict[str, list[Review]]:
    """Finds what was written in training interactions.

    Args:
      histories: with the texts of their interactions.
      ids: `[sum(lengths)]`, whose review each interaction is (`rows.users` or `rows.items`).
      limit: so many of the newest are kept for each id.
    """
    rows = histories.rows
    written = np.fromiter(map(any, rows.texts), bool, len(rows))
    found = defaultdict(list)
    for row in np.flatnonzero(written & (histories.parts == TRAIN)).tolist():
        name = ids.names[ids.codes[row]]
        found[name].append((int(rows.times[row]), int(rows.places[row]), rows.texts[row]))
    return {name: newest(reviews, limit) for name, reviews in found.items()}


def merge_reviews(chunks: Iterable[bytes], limit: int) -> dict[str, list[Review]]:
    """Puts together what `training_reviews` found in several partitions, at most `limit` for each id."""
    found = defaultdict(list)
    for chunk in chunks:
        for name, reviews in unpack(chunk).items():
            found[name].extend(reviews)
    return {name: newest(reviews, limit) for name, reviews in found.items()}


def review_cells(reviews: Sequence[Review], columns: Mapping[str, ReviewColumn]) -> list[str]:
    """Writes reviews as one cell a column, as a client of the exported model would."""
    return [
        column.separator.join(texts[place] for _, _, texts in reviews if texts[place])
        for place, column in enumerate(columns.values())
    ]
