"""From what everybody answered to the rows of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation import lists
from pipelines.evaluation.answers import Answers
from pipelines.evaluation.cases import Cases
from pipelines.evaluation.measures import RANKING, Metric, ranking_values
from pipelines.evaluation.peers.peer import Trial
from pipelines.evaluation.report import Row, Slice
from pipelines.evaluation.slices import ALL


@dataclass(frozen=True)
class Judged:
    """What one model or peer answered.

    Attributes:
      answers: None for a peer that ranks nothing.
      labels: RMSE or AUC, if it has one.
      peer: whether it is a peer.
      trials: what was tried on the validation part, for a peer.
      choice: the settings that were chosen.
    """

    name: str
    answers: Answers | None
    labels: Mapping[str, Metric]
    peer: bool = False
    trials: tuple[Trial, ...] = ()
    choice: Trial | None = None


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
        first = judged[0].answers
        for each in judged:
            if each.answers is None:
                yield Row(each.name, each.labels, peer=each.peer)
                continue
            rival = None if each is judged[0] else first
            metrics, lead = self._measure(each.answers, np.ones(len(self.cases.target), bool), rival)
            ahead = {ALL: lead}
            slices = {}
            for name, held in self.slices.items():
                slices[name], ahead[name] = self._measure(each.answers, held, rival)
            metrics = {**metrics, **self._list_metrics(each.answers.top), **each.labels}
            yield Row(each.name, metrics, slices, ahead if rival else {}, each.peer)

    def _measure(
        self, answers: Answers, held: np.ndarray, rival: Answers | None
    ) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """The metrics over some of the targets, and how far the rival is ahead."""
        _, case = np.unique(self.cases.case[held], return_inverse=True)
        values = ranking_values(answers.ranks[held], case)
        if rival is None:
            return Metric.means(values), {}
        theirs = ranking_values(rival.ranks[held], case)
        lead = Metric.means({name: theirs[name] - values[name] for name in RANKING})
        return Metric.means(values), lead

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
