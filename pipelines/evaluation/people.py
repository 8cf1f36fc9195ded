"""A few people, with what they had, what they are shown and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.answers import SHOWN
from pipelines.evaluation.requests import Requests
from serving.predictor import Predictor
from serving.recommendations import describe

PEOPLE = 6
LATEST = 6
"""How much of a history is told."""


@dataclass(frozen=True)
class Shown:
    """A recommended item: its title, that of the history's item it is due to, and whether it was wanted."""

    title: str
    because: str
    wanted: bool


@dataclass(frozen=True)
class Person:
    """One case.

    Attributes:
      user: the raw id.
      drawn_from: the slice.
      history: the titles of the newest items, the newest first.
      history_length: how many items the whole history has.
      wanted: the titles of the held-out items.
      shown: the list, best first.
    """

    user: str
    drawn_from: str
    history: tuple[str, ...]
    history_length: int
    wanted: tuple[str, ...]
    shown: tuple[Shown, ...]


def people(predictor: Predictor, requests: Requests, slices: Mapping[str, np.ndarray]) -> tuple[Person, ...]:
    """Draws a case of each of the first slices, always the same ones, and asks the model about them.

    Args:
      predictor: the model.
      requests: about the cases.
      slices: which targets `[T]` each holds, in the order in which they are drawn from.
    """
    drawn = _draw(requests, slices)
    answer = predictor.predict("serving_default", requests.listing(drawn.values()), ("item_id", "because"))
    listed, reasons = (_names(answer[name][:, :SHOWN]) for name in ("item_id", "because"))
    cases = requests.cases
    histories = [_names(requests.item_ids[cases.history[case][::-1][:LATEST]]) for case in drawn.values()]
    targets = [_names(requests.item_ids[cases.target[cases.case == case]]) for case in drawn.values()]
    titles = _Titles(predictor, np.concatenate([*map(np.ravel, (listed, reasons)), *histories, *targets]))
    return tuple(
        Person(
            user=_names(requests.user_ids[cases.user[[case]]])[0],
            drawn_from=name,
            history=tuple(map(titles.of, histories[place])),
            history_length=len(cases.history[case]),
            wanted=tuple(map(titles.of, targets[place])),
            shown=tuple(
                Shown(titles.of(item), titles.of(reason), item in targets[place])
                for item, reason in zip(listed[place], reasons[place], strict=True)
                if item
            ),
        )
        for place, (name, case) in enumerate(drawn.items())
    )


class _Titles:
    """The titles of items; an item without one goes by its id."""

    def __init__(self, predictor: Predictor, item_ids: np.ndarray) -> None:
        self._titles = describe(predictor, sorted(set(item_ids.tolist()) - {""})) or {}

    def of(self, item_id: str) -> str:
        return self._titles.get(item_id, item_id)


def _draw(requests: Requests, slices: Mapping[str, np.ndarray]) -> dict[str, int]:
    generator = np.random.default_rng(0)
    drawn: dict[str, int] = {}
    for name, held in slices.items():
        left = sorted(set(requests.cases.case[held].tolist()) - set(drawn.values()))
        if left and len(drawn) < PEOPLE:
            drawn[name] = int(generator.choice(left))
    return drawn


def _names(item_ids: np.ndarray) -> np.ndarray:
    return np.array([name.decode("utf-8", "replace") for name in item_ids.ravel()], object).reshape(
        item_ids.shape
    )
