"""What everybody is judged by: the ranks of the targets, and the items that would be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.cases import Cases, Indices
from pipelines.evaluation.peers.peer import Peer
from preprocessing.schema import PADDING, RESERVED
from trainer.metrics import target_ranks

SHOWN = 10
"""How many items are taken to be shown to somebody."""

SCORES = 2**22
"""Scores that are computed at a time: some 16 MB, however large the catalogue is."""
LARGEST_BATCH = 256


@dataclass(frozen=True)
class Answers:
    """How a model or peer answered the cases.

    Attributes:
      ranks: `[T]`, the rank of each target; infinity for one that was not found.
      top: `[C, 10]`, the indices of the items that were ranked first, best first; padding behind the
        end of a shorter list.
    """

    ranks: np.ndarray
    top: Indices


def catalogue_answers(peer: Peer, cases: Cases, items: int) -> Answers:
    """Ranks the whole catalogue for each case, its history left out."""
    ranks = np.zeros(len(cases.target))
    top = np.full((len(cases), SHOWN), PADDING)
    for rows, targets, scores, excluded in _scored(peer, cases, items):
        ranks[targets] = _ranks(cases, rows, targets, scores, excluded)
        top[rows] = top_items(scores, excluded, SHOWN)
    return Answers(ranks, top)


def catalogue_ranks(peer: Peer, cases: Cases, items: int) -> np.ndarray:
    """The ranks `[T]` alone, which are all that tuning needs."""
    ranks = np.zeros(len(cases.target))
    for rows, targets, scores, excluded in _scored(peer, cases, items):
        ranks[targets] = _ranks(cases, rows, targets, scores, excluded)
    return ranks


def pair_scores(peer: Peer, cases: Cases, items: int, other: Indices) -> tuple[np.ndarray, np.ndarray]:
    """The scores `[T]` of the targets, and those of another item `[T]` for the same case each."""
    wanted, compared = np.zeros(len(cases.target)), np.zeros(len(cases.target))
    for rows, targets, scores, _ in _scored(peer, cases, items):
        case = cases.case[targets] - rows.start
        wanted[targets] = scores[case, cases.target[targets]]
        compared[targets] = scores[case, other[targets]]
    return wanted, compared


def top_items(scores: np.ndarray, excluded: np.ndarray, k: int) -> Indices:
    """The `k` best columns of each row, best first; of equals the lower index, the more popular item.

    Args:
      scores: `[B, N]`; NaN counts as the lowest.
      excluded: `[B, N]`, True where an item must not be shown.
      k: how many; where fewer are left, padding follows.

    Returns:
      `[B, k]` indices.
    """
    scores = np.where(excluded | np.isnan(scores), -np.inf, scores)
    top = np.full((len(scores), k), PADDING)
    k = min(k, scores.shape[1])
    worst = np.partition(scores, -k, axis=1)[:, -k, None]
    better, equal = scores > worst, scores == worst
    missing = k - better.sum(axis=1, keepdims=True)
    chosen = better | (equal & (np.cumsum(equal, axis=1) <= missing))
    items = np.nonzero(chosen)[1].reshape(len(scores), k)
    values = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    items, values = np.take_along_axis(items, order, axis=1), np.take_along_axis(values, order, axis=1)
    top[:, :k] = np.where(np.isneginf(values), PADDING, items)
    return top


def _scored(peer: Peer, cases: Cases, items: int) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray]]:
    """Cases and their targets some at a time, with the scores and exclusions `[B, N]` of the cases."""
    for rows, targets in cases.batches(max(1, min(LARGEST_BATCH, SCORES // items))):
        histories = cases.history[rows]
        excluded = np.zeros((len(histories), items), bool)
        excluded[:, :RESERVED] = True
        for row, history in zip(excluded, histories, strict=True):
            row[history] = True
        yield rows, targets, peer.scores(cases.user[rows], histories), excluded


def _ranks(cases: Cases, rows: slice, targets: slice, scores: np.ndarray, excluded: np.ndarray) -> np.ndarray:
    ranks = np.zeros(targets.stop - targets.start)
    # A case may have many targets, and each takes a row of its own.
    for begin in range(0, len(ranks), len(scores)):
        some = slice(targets.start + begin, min(targets.start + begin + len(scores), targets.stop))
        row = cases.case[some] - rows.start
        ranks[begin : begin + len(row)] = target_ranks(scores[row], cases.target[some], excluded[row])
    return ranks
