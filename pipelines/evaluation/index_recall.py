"""How much of an exact search the model's index finds."""

from __future__ import annotations

import numpy as np
from rich.progress import Progress

from pipelines.evaluation.measures import INDEX
from pipelines.evaluation.requests import Requests
from preprocessing.schema import RESERVED
from serving.predictor import Predictor

DEPTHS = dict(zip(INDEX, (10, 100), strict=True))
USERS = 200
FEWEST_USERS = 20
SCORES = 2**20
"""About how many scores are asked for in all; of a large catalogue fewer people are sampled."""
SCORES_A_CALL = 2**16
ROUNDING = 1e-5
"""How far scores of one item may lie apart, since the index sums up in another order."""


def index_recall(
    predictor: Predictor, requests: Requests, items: int, progress: Progress
) -> dict[str, np.ndarray]:
    """The share of an exact search's first k that `retrieve` returns among its own first k.

    The exact search is `rank`, which gives the retrieval score (`retrieved`) of any item, asked about the
    whole catalogue. An item counts when its exact score reaches that of place k, so ties do not matter.
    Aumüller, Bernhardsson and Faithfull, "ANN-Benchmarks", Information Systems 2020.

    Args:
      predictor: the model.
      requests: about the cases, of which some are sampled.
      items: the catalogue's size, the reserved indices included.
      progress: where to show how far it is.

    Returns:
      by metric, one value a sampled case `[S]`; nothing for a k that is longer than the model's lists, and no
      case that leaves nothing to recommend.
    """
    sample = requests.sample(min(USERS, max(FEWEST_USERS, SCORES // items)))
    batch = max(1, min(32, SCORES_A_CALL // items))
    task = progress.add_task("searching exactly", total=len(sample))
    found: dict[str, list[float]] = {}
    for begin in range(0, len(sample), batch):
        cases = sample[begin : begin + batch]
        exact = _exact_scores(predictor, requests, cases, items)
        answer = predictor.predict("retrieve", requests.listing(cases), ("item_id",))
        for scores, listed in zip(exact, requests.index(answer["item_id"]), strict=True):
            left = int(np.isfinite(scores).sum())
            for name, depth in DEPTHS.items():
                k = min(depth, left)
                if 0 < k <= len(listed):
                    found.setdefault(name, []).append(_share(scores, listed[:k]))
            progress.advance(task)
    return {name: np.array(values) for name, values in found.items()}


def _exact_scores(predictor: Predictor, requests: Requests, cases: list[int], items: int) -> np.ndarray:
    """The retrieval scores `[B, N]`; minus infinity for the history and the reserved indices."""
    user = requests.user(cases)
    scores = np.full((len(cases), items), -np.inf)
    width = max(1, SCORES_A_CALL // len(cases))
    for first in range(RESERVED, items, width):
        some = requests.item_ids[first : first + width]
        inputs = user | {"candidate_id": np.tile(some, (len(cases), 1))}
        answer = predictor.predict("rank", inputs, ("retrieved",))
        scores[:, first : first + len(some)] = answer["retrieved"]
    for row, case in zip(scores, cases, strict=True):
        row[requests.cases.history[case]] = -np.inf
    return scores


def _share(scores: np.ndarray, listed: np.ndarray) -> float:
    """The share of the listed items `[k]` that belong to the k best of the scores `[N]`."""
    worst = np.partition(scores, -len(listed))[-len(listed)]
    reached = (listed >= RESERVED) & (scores[listed] >= worst - ROUNDING)
    return float(reached.mean())
