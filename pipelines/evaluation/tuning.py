"""Chooses a peer's settings on the validation part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.answers import catalogue_ranks
from pipelines.evaluation.cases import Cases, Interactions
from pipelines.evaluation.peers.bias import UserItemBias, biases
from pipelines.evaluation.peers.peer import Kind, Peer, Trial
from pipelines.evaluation.peers.popularity import OrPopular, Popularity
from trainer.metrics import case_ndcg_at


@dataclass(frozen=True)
class Tuned:
    """The best of a kind.

    Attributes:
      peer: fitted to the training part.
      trials: the whole grid, in its order.
      best: the trial that was chosen.
    """

    peer: Peer
    trials: tuple[Trial, ...]
    best: Trial


def or_popular(peer: Peer, interactions: Interactions, items: int) -> Peer:
    """The peer, with what is popular in the interactions for those of whom it knows nothing."""
    return OrPopular(peer, Popularity(interactions.item_counts(items)))


def tune(
    kind: Kind, interactions: Interactions, validation: Cases, items: int, advance: Callable[[], None]
) -> Tuned:
    """Fits a peer with each of its settings and keeps the first of those with the best NDCG@10.

    `advance` is told whenever one has been judged.
    """
    trials: list[Trial] = []
    best: tuple[Trial, Peer] | None = None
    for settings, fitted in zip(kind.grid, kind.fit(interactions, kind.grid), strict=True):
        peer = or_popular(fitted, interactions, items)
        ranks = catalogue_ranks(peer, validation, items)
        trial = Trial(settings, float(case_ndcg_at(ranks, validation.case, 10).mean()))
        trials.append(trial)
        if best is None or trial.value > best[0].value:
            best = trial, peer
        advance()
    if best is None:
        raise ValueError(f"the grid of {kind.name} is empty")
    return Tuned(best[1], tuple(trials), best[0])


def refit(tuned: Tuned, kind: Kind, interactions: Interactions, items: int) -> Peer:
    """The peer with the settings that were chosen, fitted to other interactions."""
    (peer,) = kind.fit(interactions, [tuned.best.settings])
    return or_popular(peer, interactions, items)


def tune_bias(
    interactions: Interactions, users: int, items: int, validation: Cases
) -> tuple[UserItemBias, tuple[Trial, ...], Trial]:
    """Fits the bias with each strength and keeps the one with the lowest error on the validation cases.

    Returns:
      the bias, all trials, and the one that was chosen.
    """

    def error(bias: UserItemBias) -> float:
        predicted = bias.predict(validation.user[validation.case], validation.target)
        return float(np.sqrt(np.square(predicted - validation.label).mean()))

    fitted = list(biases(interactions, users, items))
    trials = tuple(Trial({"strength": bias.strength}, error(bias)) for bias in fitted)
    best = min(range(len(trials)), key=lambda number: trials[number].value)
    return fitted[best], trials, trials[best]
