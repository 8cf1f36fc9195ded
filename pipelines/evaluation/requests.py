"""What a client sends about a case."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipelines.evaluation.cases import Cases, Indices
from preprocessing.schema import PADDING, RESERVED

Inputs = dict[str, np.ndarray]


class Requests:
    """Puts cases into the raw ids of requests, and answers back into indices.

    A user whose history is empty at the cut is asked for as nobody (`""`): the exported model knows
    the user's whole history, the held-out items included, and falls back on it.

    Args:
      item_ids, user_ids: raw ids by index, `b""` for the reserved ones.
    """

    def __init__(self, cases: Cases, item_ids: np.ndarray, user_ids: np.ndarray) -> None:
        self.cases = cases
        self.item_ids = item_ids
        self.user_ids = user_ids
        self._index = {name: index for index, name in enumerate(item_ids[RESERVED:], RESERVED)}
        self._index[b""] = PADDING

    def user(self, cases: Iterable[int]) -> Inputs:
        """Who is asked for: `user_id [B]` and `history [B, H]`."""
        asked = list(cases)
        histories = [self.cases.history[case] for case in asked]
        padded = np.zeros((len(asked), max(map(len, histories), default=0)), np.int64)
        for row, history in zip(padded, histories, strict=True):
            row[: len(history)] = history
        history_ids = self.item_ids[padded]
        known = (history_ids != b"").any(axis=1)
        return {
            "user_id": np.where(known, self.user_ids[self.cases.user[asked]], b""),
            "history": history_ids,
        }

    def listing(self, cases: Iterable[int]) -> Inputs:
        """A request for a list, without what is in the history."""
        inputs = self.user(cases)
        return inputs | {"exclude": inputs["history"]}

    def index(self, item_ids: np.ndarray) -> Indices:
        """The indices of items; padding for `b""`.

        Raises:
          KeyError: an item is not in the examples.
        """
        return np.vectorize(self._index.__getitem__, otypes=[np.int64])(item_ids)

    def strangers(self, item_ids: Iterable[bytes]) -> set[bytes]:
        """Those that are not in the examples."""
        return set(item_ids) - self._index.keys()

    def sample(self, count: int) -> list[int]:
        """So many cases drawn at random, always the same ones; all where there are no more."""
        drawn = np.random.default_rng(0).permutation(len(self.cases))[:count]
        return sorted(drawn.tolist())
