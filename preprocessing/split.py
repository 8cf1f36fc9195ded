"""Divides the interactions into training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from preprocessing.config import Random

TRAIN, VALIDATION, TEST = 0, 1, 2
"""The part an interaction belongs to, as the functions below give it."""

END_OF_TIME = np.iinfo(np.int64).max


def leave_last(lengths: np.ndarray) -> np.ndarray:
    """Holds out each user's last interaction for the test and the one before for validation.

    Args:
      lengths: `[U]`, the length of each user's history; the histories follow one another.

    Returns:
      `[sum(lengths)]`, the part of each interaction. Users with fewer than three only train.
    """
    parts = np.full(lengths.sum(), TRAIN, np.int8)
    ends = np.cumsum(lengths)[lengths >= 3]
    parts[ends - 1] = TEST
    parts[ends - 2] = VALIDATION
    return parts


def temporal_cuts(times: np.ndarray, counts: np.ndarray, validation: float, test: float) -> tuple[int, int]:
    """Finds the moments at which validation and test begin.

    The interactions are thought of in a row by time: the test begins with the moment of the one that
    has the share `test` at and after itself. Since a moment is never cut apart, a part can be larger
    than its share, and one before it smaller.

    Args:
      times: `[T]`, each distinct time.
      counts: `[T]`, how many interactions happened then.
      validation: the share that validates.
      test: the share that tests.
    """
    order = np.argsort(times)
    times, upto = times[order], np.cumsum(counts[order])
    total = int(upto[-1]) if len(upto) else 0

    def beginning(share: float) -> int:
        place = total - round(share * total)
        return int(times[np.searchsorted(upto, place, side="right")]) if place < total else END_OF_TIME

    return beginning(validation + test), beginning(test)


def temporal(times: np.ndarray, cuts: tuple[int, int]) -> np.ndarray:
    """Gives the part of each interaction by its time; `cuts` come from `temporal_cuts`."""
    validation, test = cuts
    return np.where(times >= test, TEST, np.where(times >= validation, VALIDATION, TRAIN)).astype(np.int8)


def random(users: Iterable[str], items: Iterable[str], places: np.ndarray, split: Random) -> np.ndarray:
    """Draws the part of each interaction by a hash that is the same on every machine.

    Args:
      users: `[N]`, ids.
      items: `[N]`, ids.
      places: `[N]`, where in the table the interaction stands.
      split: the shares and the seed.
    """
    parts = np.full(len(places), TRAIN, np.int8)
    for number, key in enumerate(zip(users, items, places.tolist(), strict=True)):
        digest = hashlib.blake2b(repr((split.seed, *key)).encode("utf-8"), digest_size=8).digest()
        draw = int.from_bytes(digest, "little") / 2**64
        if draw < split.test:
            parts[number] = TEST
        elif draw < split.test + split.validation:
            parts[number] = VALIDATION
    return parts
