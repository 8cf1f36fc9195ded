"""Asks a model about cases through its signatures alone, as any client could."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.progress import Progress

from pipelines.evaluation.answers import SHOWN, Answers
from pipelines.evaluation.cases import Cases
from pipelines.evaluation.measures import Metric, auc, label_error
from preprocessing.schema import PADDING, RESERVED, InputError
from serving.predictor import Predictor
from trainer.metrics import target_ranks

BATCH = 128


class Questions:
    """Asks a model about cases, some at a time.

    A user whose history is empty at the cut is asked for as nobody (`""`): the exported model knows
    the user's whole history, the held-out items included, and falls back on it.

    Args:
      item_ids, user_ids: raw ids by index, `b""` for the reserved ones.
    """

    def __init__(
        self,
        predictor: Predictor,
        cases: Cases,
        item_ids: np.ndarray,
        user_ids: np.ndarray,
        progress: Progress,
    ) -> None:
        self._predictor = predictor
        self._cases = cases
        self._item_ids = item_ids
        self._index = {name: index for index, name in enumerate(item_ids[RESERVED:], RESERVED)}
        self._index[b""] = PADDING
        self._user_ids = user_ids
        self._progress = progress

    def answers(self, signature: str) -> Answers:
        """The rank of each target in the returned list, and the list's first items.

        Raises:
          InputError: the model returned an excluded item, or one that these examples do not know.
        """
        ranks = np.full(len(self._cases.target), np.inf)
        top = np.full((len(self._cases), SHOWN), PADDING)
        for rows, targets in self._batches(signature):
            inputs = self._user(rows)
            inputs["exclude"] = inputs["history"]
            answer = self._predictor.predict(signature, inputs, ("item_id", "score"))
            self._check(signature, answer["item_id"], inputs)
            row = self._cases.case[targets] - rows.start
            wanted = self._item_ids[self._cases.target[targets]]
            listed = answer["item_id"][row]
            found = listed == wanted[:, None]
            place = target_ranks(answer["score"][row], found.argmax(axis=1), listed == b"")
            ranks[targets] = np.where(found.any(axis=1), place, np.inf)
            first = answer["item_id"][:, :SHOWN]
            top[rows, : first.shape[1]] = [[self._index[name] for name in names] for names in first]
        return Answers(ranks, top)

    def label_metric(self) -> dict[str, Metric]:
        """RMSE of the predicted labels, or without labels the AUC of the serving score."""
        if self._cases.label is None:
            return self.auc("score")
        wanted, _, _ = self._pairs("rating")
        return label_error(wanted, self._cases)

    def auc(self, output: str) -> dict[str, Metric]:
        """The AUC of an output of `rank`.

        It compares each target with one item that is drawn uniformly among those the user has nothing to
        do with, always the same ones; ties count half, and so does a user who knows all.
        """
        wanted, other, drawn = self._pairs(output)
        return auc(wanted, np.where(drawn == PADDING, wanted, other), self._cases)

    def _pairs(self, output: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """An output of `rank` for each target `[T]` and for an item drawn for it, and which that is."""
        wanted, other = np.zeros(len(self._cases.target)), np.zeros(len(self._cases.target))
        drawn = draw_others(self._cases, len(self._item_ids))
        for rows, targets in self._batches("rank"):
            # Each case's targets stand in a row of their own, then the drawn items in the same places.
            case = self._cases.case[targets] - rows.start
            place = np.arange(len(case)) - np.searchsorted(case, case)
            width = int(place.max(initial=-1)) + 1
            candidates = np.zeros((rows.stop - rows.start, 2 * width), np.int64)
            candidates[case, place] = self._cases.target[targets]
            candidates[case, width + place] = drawn[targets]
            inputs = self._user(rows) | {"candidate_id": self._item_ids[candidates]}
            values = self._predictor.predict("rank", inputs, (output,))[output]
            wanted[targets], other[targets] = values[case, place], values[case, width + place]
        return wanted, other, drawn

    def _batches(self, signature: str) -> Iterator[tuple[slice, slice]]:
        task = self._progress.add_task(f"asking {signature}", total=len(self._cases))
        for rows, targets in self._cases.batches(BATCH):
            yield rows, targets
            self._progress.advance(task, rows.stop - rows.start)

    def _user(self, rows: slice) -> dict[str, np.ndarray]:
        histories = self._cases.history[rows]
        width = max(map(len, histories), default=0)
        padded = np.zeros((len(histories), width), np.int64)
        for row, history in zip(padded, histories, strict=True):
            row[: len(history)] = history
        history_ids = self._item_ids[padded]
        known = (history_ids != b"").any(axis=1)
        users = np.where(known, self._user_ids[self._cases.user[rows]], b"")
        return {"user_id": users, "history": history_ids}

    def _check(self, signature: str, listed: np.ndarray, inputs: dict[str, np.ndarray]) -> None:
        for items, excluded, user in zip(listed, inputs["exclude"], inputs["user_id"], strict=True):
            returned = (set(items) & set(excluded)) - {b""}
            if returned:
                item = returned.pop().decode()
                raise InputError(
                    f"{signature} returned item {item!r} to user {user.decode()!r}, who excluded it"
                )
            strangers = set(items) - self._index.keys()
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
