"""From what everybody answered to the rows of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation import lists
from pipelines.evaluation.answers import Answers
from pipelines.evaluation.calibration import Bin
from pipelines.evaluation.cases import Cases
from pipelines.evaluation.measures import LABELS, METRICS, RANKING, Metric, Samples, ranking_values
from pipelines.evaluation.peers.peer import Trial
from pipelines.evaluation.report import Row, Slice
from pipelines.evaluation.slices import ALL


@dataclass(frozen=True)
class Judged:
    """What one model or peer answered.

    Attributes:
      answers: None for a peer that ranks nothing.
      labels: for each target `[T]` the squared error of its label (`RMSE`) or whether it wins (`AUC`).
      peer: whether it is a peer.
      trials: what was tried on the validation part, for a peer.
      choice: the settings that were chosen.
      calibration: of its predictions, from the lowest to the highest.
    """

    name: str
    answers: Answers | None
    labels: Mapping[str, np.ndarray]
    peer: bool = False
    trials: tuple[Trial, ...] = ()
    choice: Trial | None = None
    calibration: tuple[Bin, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one of the judged reaches on some of the targets, and how far the first is ahead of it."""

    metrics: dict[str, Metric]
    ahead: dict[str, Metric]


@dataclass(frozen=True)
class Yardstick:
    """What lists and targets are measured by, the same for all.

    Attributes:
      cases: that everybody answered.
      items: the catalogue's size, the reserved indices included.
      users: how many users of the training part there are.
      item_users: `[N]`, how many of them have each item.
      slices: which targets `[T]` each slice holds.
      texts: `[N, H]` text vectors, or None.
    """

    cases: Cases
    items: int
    users: int
    item_users: np.ndarray
    slices: Mapping[str, np.ndarray]
    texts: np.ndarray | None

    def sizes(self) -> dict[str, Slice]:
        """How large each slice is."""
        return {
            name: Slice(len(np.unique(self.cases.case[held])), int(held.sum()))
            for name, held in self.slices.items()
        }

    def rows(self, judged: Sequence[Judged]) -> Iterator[Row]:
        """A row for each; the first of them is whom the others are compared with."""
        parts = {ALL: np.ones(len(self.cases.target), bool), **self.slices}
        found = {name: self._part(judged, held) for name, held in parts.items()}
        for number, each in enumerate(judged):
            metrics = {name: part[number].metrics for name, part in found.items()}
            overall = metrics.pop(ALL)
            if each.answers is not None:
                overall = {**overall, **self._list_metrics(each.answers.top)}
            yield Row(
                each.name,
                {name: overall[name] for name in METRICS if name in overall},
                slices={name: held for name, held in metrics.items() if held},
                ahead={name: part[number].ahead for name, part in found.items() if part[number].ahead},
                peer=each.peer,
                calibration=each.calibration,
            )

    def _part(self, judged: Sequence[Judged], held: np.ndarray) -> list[Part]:
        """What everybody reaches on some of the targets, all by the same draws."""
        found = [Part({}, {}) for _ in judged]
        case = self.cases.case[held]
        _, number = np.unique(case, return_inverse=True)
        ranking = {place: each.answers for place, each in enumerate(judged) if each.answers}
        values = [ranking_values(answers.ranks[held], number) for answers in ranking.values()]
        columns = {name: np.column_stack([each[name] for each in values]) for name in RANKING}
        for name, samples in Samples.of_cases(columns).items():
            _add(found, name, list(ranking), samples)
        for name in LABELS:
            labels = {place: each.labels[name] for place, each in enumerate(judged) if name in each.labels}
            if labels:
                stacked = np.column_stack([each[held] for each in labels.values()])
                _add(found, name, list(labels), Samples.of_targets(name, stacked, case))
        return found

    def _list_metrics(self, top: np.ndarray) -> dict[str, Metric]:
        shown = lists.times_shown(top, self.items)
        metrics = {
            "Coverage@10": Metric(lists.coverage(shown)),
            "Gini@10": Metric(lists.gini(shown)),
        }
        values = {"Novelty@10": lists.novelty(top, self.item_users, self.users)}
        if self.texts is not None:
            values["Similarity@10"] = lists.list_similarity(top, self.texts)
        for name, each in values.items():
            known = each[~np.isnan(each)]
            if len(known):
                metrics |= Metric.means({name: known})
        return metrics


def _add(found: Sequence[Part], metric: str, places: Sequence[int], samples: Samples) -> None:
    """Gives the judged at some places their metric, and all but the first the lead that the first has."""
    for place, value, lead in zip(places, samples.metrics(), samples.leads(), strict=True):
        found[place].metrics[metric] = value
        if place and places[0] == 0:
            found[place].ahead[metric] = lead
