"""The benchmark's own peers on two tastes that are easy to tell apart."""

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares

from benchmarks.peers import ials as als
from benchmarks.peers import tutorial
from benchmarks.peers.ials import Ials, ials
from benchmarks.peers.tutorial import Products, tfrs_tutorial
from pipelines.evaluation.answers import catalogue_ranks
from pipelines.evaluation.cases import Cases, Interactions
from pipelines.evaluation.peers.popularity import Popularity
from pipelines.evaluation.tuning import tune
from trainer.metrics import ndcg_at

USERS, ITEMS = 63, 34
NEWCOMER = 62
OWN, OTHER = slice(2, 18), slice(18, 34)
"""The items of the first taste, which users 2 to 31 have, and those of the second."""


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """60 people, each with 70% of the 16 items of a taste; user 62 has nothing."""
    tastes = np.kron(np.eye(2), np.ones((30, 16)))
    user, item = np.nonzero(tastes * (np.random.default_rng(0).random(tastes.shape) < 0.7))
    return Interactions(user + 2, item + 2, None)


def ids(prefix: str, size: int) -> np.ndarray:
    return np.array([b"", b"", *(f"{prefix}{index}".encode() for index in range(2, size))], dtype=object)


def ahead(scores: np.ndarray) -> float:
    """How often an item of the first taste scores higher than one of the second."""
    return float((scores[OWN, None] > scores[None, OTHER]).mean())


@pytest.fixture(autouse=True)
def _small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many factors as items, all that is learned is who has what."""
    monkeypatch.setattr(als, "FACTORS", (2, 4))
    monkeypatch.setattr(als, "ALPHAS", (1.0, 5.0))
    monkeypatch.setattr(als, "REGULARISATIONS", (1.0,))


def test_ials_answers_a_history_of_somebody_it_never_saw(interactions: Interactions) -> None:
    kind = ials(USERS, ITEMS)
    assert len(kind.grid) == 4
    histories = [np.array([2, 3, 4]), np.array([], np.int64)]
    for settings, peer in zip(kind.grid, kind.fit(interactions, kind.grid), strict=True):
        known, unknown = peer.scores(np.array([NEWCOMER, NEWCOMER]), histories)
        assert ahead(known) > 0.9, settings
        assert not unknown.any()


def test_ials_solves_for_the_vector_that_fits_the_history(interactions: Interactions) -> None:
    model = AlternatingLeastSquares(4, regularization=3.0, alpha=5.0, random_state=0)
    model.fit(interactions.matrix(USERS, ITEMS), show_progress=False)
    items = model.item_factors
    has = np.isin(np.arange(ITEMS), [2, 5, 9]).astype(float)
    confidence = np.where(has, 5.0, 1.0)
    normal = items.T @ (confidence[:, None] * items) + 3.0 * np.eye(4)
    expected = items @ np.linalg.solve(normal, items.T @ (confidence * has))
    (scores,) = Ials(model).scores(np.array([NEWCOMER]), [np.array([2, 5, 9])])
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_the_tutorial_learns_users_and_knows_no_newcomer(
    interactions: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tutorial, "RUNS", ((64, 8, 0.5, (1, 20)),))
    kind = tfrs_tutorial(ids("user", USERS), ids("item", ITEMS))
    first, last = kind.fit(interactions, kind.grid)
    assert kind.grid[1] == {"batch": 64, "dimension": 8, "learning rate": 0.5, "epochs": 20}
    histories = [np.array([], np.int64)] * 3
    mine, theirs, newcomer = last.scores(np.array([2, 61, NEWCOMER]), histories)
    assert ahead(mine) > 0.95
    assert ahead(theirs) < 0.05
    assert not newcomer.any()
    # What was judged after the first epoch is not what later epochs made of it.
    assert not np.array_equal(first.scores(np.array([2]), histories[:1])[0], mine)


def test_the_best_of_the_grid_beats_popularity(interactions: Interactions) -> None:
    generator = np.random.default_rng(1)
    users = np.arange(2, 32)
    histories = tuple(generator.choice(np.arange(2, 18), 5, replace=False) for _ in users)
    targets = np.array([generator.choice(np.setdiff1d(np.arange(2, 18), history)) for history in histories])
    cases = Cases(users, histories, targets, np.arange(len(users)), None)
    popular = Popularity(interactions.item_counts(ITEMS))
    tuned = tune(ials(USERS, ITEMS), interactions, cases, ITEMS, lambda: None)
    assert tuned.best.value > ndcg_at(catalogue_ranks(popular, cases, ITEMS), 10).mean() + 0.05


def test_products_are_products() -> None:
    users, items = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    scores = Products(users, items).scores(np.array([1, 0]), [])
    np.testing.assert_array_equal(scores, [[11, 17, 23], [0, 0, 0]])
