"""How good a ranking is: each function gives one value a case, so that means and intervals can follow.

A case is a user with a history and one or more targets (the held-out items). All functions are numpy
alone, and both the trainer's validation and `tandem evaluate` use them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
"""Bootstrap resamples of an interval."""


def target_ranks(scores: np.ndarray, targets: np.ndarray, excluded: np.ndarray) -> Floats:
    """Ranks one target a row among all items that are not excluded; ties count half.

    rank = 1 + (items with a higher score) + (other items with an equal score) / 2, so a model that
    gives every item the same score gets the middle rank, not the first. NaN counts as the lowest.

    Args:
      scores: `[B, N]`, a score an item, higher is better.
      targets: `[B]`, the target's column.
      excluded: `[B, N]`, True where an item is left out of the ranking; a target never is.

    Returns:
      `[B]` ranks, from 1.
    """
    unknown = np.isnan(scores)
    if unknown.any():
        scores = np.where(unknown, -np.inf, scores)
    rows = np.arange(len(targets))
    target = scores[rows, targets][:, None]
    others = ~excluded
    others[rows, targets] = False
    higher = ((scores > target) & others).sum(axis=1)
    equal = ((scores == target) & others).sum(axis=1)
    return 1 + higher + equal / 2


def recall_at(ranks: np.ndarray, k: int) -> Floats:
    """1 where the target is among the first k, else 0: Recall@k of a case with one target."""
    return (np.asarray(ranks) <= k).astype(np.float64)


def ndcg_at(ranks: np.ndarray, k: int) -> Floats:
    """1 / log2(rank + 1) among the first k, else 0: NDCG@k of a case with one target.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """
    ranks = np.asarray(ranks, np.float64)
    return np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0)


def reciprocal_rank(ranks: np.ndarray) -> Floats:
    """1 / rank, which is 0 for a target that was not found (rank infinity)."""
    return 1 / np.asarray(ranks, np.float64)


def case_recall_at(ranks: np.ndarray, cases: np.ndarray, k: int) -> Floats:
    """Recall@k of cases with several targets: those among the first k, divided by all of them.

    The divisor is the number of targets, not min(k, targets): a user with 20 targets can reach 0.5 at
    k = 10. With one target a case, this is `recall_at`.

    Args:
      ranks: `[T]`, the rank of each target among all items, the case's other targets included.
      cases: `[T]`, the number of the case it belongs to, from 0; each case has a target.
      k: how many items are shown.
    """
    return np.bincount(cases, recall_at(ranks, k)) / np.bincount(cases)


def case_ndcg_at(ranks: np.ndarray, cases: np.ndarray, k: int) -> Floats:
    """NDCG@k of cases with several targets: the gain divided by that of the best possible ranking.

    The best ranking has the targets in front and is cut after k as well, so 1 can always be reached.
    With one target a case, this is `ndcg_at`. Arguments as for `case_recall_at`.
    """
    ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    counts = np.bincount(cases)
    return np.bincount(cases, ndcg_at(ranks, k)) / ideal[np.minimum(counts, k) - 1]


def case_reciprocal_rank(ranks: np.ndarray, cases: np.ndarray) -> Floats:
    """1 / the rank of each case's first target. Arguments as for `case_recall_at`."""
    best = np.full(np.max(cases, initial=-1) + 1, np.inf)
    np.minimum.at(best, cases, ranks)
    return reciprocal_rank(best)


def bootstrap_intervals(values: np.ndarray) -> Floats:
    """The percentile bootstrap interval of each column's mean; see `resampled_means`.

    Returns:
      `[M, 2]`, the lower and the upper ends.
    """
    return percentile_intervals(resampled_means(values))


def percentile_intervals(resampled: np.ndarray) -> Floats:
    """What holds 95% of each column's values `[R, M]`, as much left out below as above.

    Returns:
      `[M, 2]`, the lower and the upper ends.
    """
    return np.quantile(resampled, [0.025, 0.975], axis=0).T


def resampled_means(values: np.ndarray, weights: np.ndarray | None = None) -> Floats:
    """Each column's weighted mean over bootstrap resamples; cases are drawn, never parts of one.

    Every column is judged by the same draws, so what is made of two columns is a paired comparison. As many
    cases give the same draws again.
    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979.

    Args:
      values: `[C, M]`, one row a case, at least one.
      weights: `[C]`, positive, for example a case's number of targets; all the same when not given.

    Returns:
      `[R, M]`, each of C cases drawn with replacement.
    """
    generator = np.random.default_rng(0)
    cases = len(values)
    weights = np.ones(cases) if weights is None else weights
    weighted = np.column_stack([np.asarray(values, np.float64) * weights[:, None], weights])
    means = np.empty((RESAMPLES, values.shape[1]))
    for resample in means:
        # How often each case was drawn tells as much as the drawn cases, and is quicker to sum with.
        drawn = np.bincount(generator.integers(cases, size=cases), minlength=cases)
        *sums, weight = drawn @ weighted
        resample[:] = np.array(sums) / weight
    return means
