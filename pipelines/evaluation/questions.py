"""Asks a model about all cases through its signatures alone, as any client could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from pipelines.evaluation.answers import SHOWN, Answers
from pipelines.evaluation.cases import Cases
from pipelines.evaluation.requests import Inputs, Requests
from preprocessing.schema import PADDING, RESERVED, InputError
from serving.predictor import Predictor
from trainer.metrics import target_ranks

BATCH = 128


@dataclass(frozen=True)
class Pairs:
    """What `rank` says of each target, and of an item that the user has nothing to do with.

    Attributes:
      wanted, other: an output's values `[T]` by its name.
      drawn: `[T]`, whether there is such an item; without one, `other` is `wanted`.
    """

    wanted: dict[str, np.ndarray]
    other: dict[str, np.ndarray]
    drawn: np.ndarray


class Questions:
    """Asks a model about cases, some at a time."""

    def __init__(self, predictor: Predictor, requests: Requests, progress: Progress) -> None:
        self._predictor = predictor
        self._requests = requests
        self._cases = requests.cases
        self._progress = progress

    def answers(self, signature: str) -> Answers:
        """The rank of each target in the returned list, and the list's first items.

        Raises:
          InputError: the model returned an excluded item, or one that these examples do not know.
        """
        ranks = np.full(len(self._cases.target), np.inf)
        top = np.full((len(self._cases), SHOWN), PADDING)
        for rows, targets in self._batches(signature):
            inputs = self._requests.listing(range(rows.start, rows.stop))
            answer = self._predictor.predict(signature, inputs, ("item_id", "score"))
            self._check(signature, answer["item_id"], inputs)
            row = self._cases.case[targets] - rows.start
            wanted = self._requests.item_ids[self._cases.target[targets]]
            listed = answer["item_id"][row]
            found = listed == wanted[:, None]
            place = target_ranks(answer["score"][row], found.argmax(axis=1), listed == b"")
            ranks[targets] = np.where(found.any(axis=1), place, np.inf)
            first = answer["item_id"][:, :SHOWN]
            top[rows, : first.shape[1]] = self._requests.index(first)
        return Answers(ranks, top)

    def pairs(self, outputs: Sequence[str]) -> Pairs:
        """Asks `rank` for each target and for one item that is drawn for it, always the same one.

        It is drawn uniformly among those in neither the case's history nor its targets.
        """
        count = len(self._cases.target)
        wanted, other = ({name: np.zeros(count) for name in outputs} for _ in range(2))
        drawn = draw_others(self._cases, len(self._requests.item_ids))
        compared = np.where(drawn == PADDING, self._cases.target, drawn)
        for rows, targets in self._batches("rank"):
            # Each case's targets stand in a row of their own, then the drawn items in the same places.
            case = self._cases.case[targets] - rows.start
            place = np.arange(len(case)) - np.searchsorted(case, case)
            width = int(place.max(initial=-1)) + 1
            candidates = np.zeros((rows.stop - rows.start, 2 * width), np.int64)
            candidates[case, place] = self._cases.target[targets]
            candidates[case, width + place] = compared[targets]
            inputs = self._requests.user(range(rows.start, rows.stop))
            inputs["candidate_id"] = self._requests.item_ids[candidates]
            answer = self._predictor.predict("rank", inputs, outputs)
            for name in outputs:
                wanted[name][targets] = answer[name][case, place]
                other[name][targets] = answer[name][case, width + place]
        return Pairs(wanted, other, drawn != PADDING)

    def _batches(self, signature: str) -> Iterator[tuple[slice, slice]]:
        task = self._progress.add_task(f"asking {signature}", total=len(self._cases))
        for rows, targets in self._cases.batches(BATCH):
            yield rows, targets
            self._progress.advance(task, rows.stop - rows.start)

    def _check(self, signature: str, listed: np.ndarray, inputs: Inputs) -> None:
        for items, excluded, user in zip(listed, inputs["exclude"], inputs["user_id"], strict=True):
            returned = (set(items) & set(excluded)) - {b""}
            if returned:
                item = returned.pop().decode()
                raise InputError(
                    f"{signature} returned item {item!r} to user {user.decode()!r}, who excluded it"
                )
            strangers = self._requests.strangers(items)
            if strangers:
                raise InputError(
                    f"{signature} returned item {strangers.pop().decode()!r}, which is not in the "
                    "examples' catalogue; is it a model of other examples, or were items added to it since?"
                )


def draw_others(cases: Cases, items: int) -> np.ndarray:
    """Draws for each target `[T]` an item that is in neither the case's history nor its targets.

    Padding where there is none.
    """
    generator = np.random.default_rng(0)
    drawn = np.zeros(len(cases.target), np.int64)
    for rows, targets in cases.batches(1):
        strange = np.ones(items, bool)
        strange[:RESERVED] = False
        strange[cases.history[rows.start]] = False
        strange[cases.target[targets]] = False
        if strange.any():
            drawn[targets] = generator.choice(np.flatnonzero(strange), targets.stop - targets.start)
    return drawn
