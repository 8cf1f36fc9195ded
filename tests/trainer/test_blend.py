"""How much ranking takes part in the serving score."""

import numpy as np

from trainer.validation import BLENDS, _wins, best_blend


def _cases(*leads: np.ndarray) -> np.ndarray:
    """NDCG of retrieval alone, then of the blends that lead by so much; the others lose."""
    rng = np.random.default_rng(0)
    alone = rng.uniform(0.2, 0.6, 400)
    losing = [alone - 0.1] * (len(BLENDS) - 1 - len(leads))
    return np.array([alone, *(alone + lead for lead in leads), *losing])


def test_a_lead_of_chance_leaves_ranking_out():
    chance = np.where(np.arange(400) % 2, 0.1, -0.1) + 0.001
    assert best_blend(_cases(chance), None) == (0.0, _cases()[0].mean())


def test_the_largest_lead_above_chance_is_taken():
    chance = np.where(np.arange(400) % 2, 0.1, -0.1) + 0.0045
    steady = np.full(400, 0.002)
    cases = _cases(steady, chance, steady * 2)
    worst_auc = -np.arange(len(BLENDS))
    for auc in (None, worst_auc):
        assert best_blend(cases, auc) == (BLENDS[3], cases[3].mean())


def test_equal_blends_leave_ranking_out():
    assert best_blend(np.full((len(BLENDS), 5), 0.3), None)[0] == 0.0
    assert best_blend(np.full((len(BLENDS), 5), 0.3), np.full(len(BLENDS), 0.8))[0] == 0.0


def test_without_a_gain_the_best_auc_that_costs_nothing_is_taken():
    nothing, little, much = np.zeros(400), np.full(400, -0.0005), np.full(400, -0.01)
    auc = np.linspace(0.8, 0.9, len(BLENDS))
    cases = _cases(nothing, little, much)
    assert best_blend(cases, auc) == (BLENDS[2], cases[2].mean())


def test_wins_are_the_share_of_others_below():
    scores = np.array([[1.0, 0.0, 1.0, 2.0, 0.5], [0.0, 1.0, 1.0, 1.0, 1.0]])
    np.testing.assert_allclose(_wins(scores), [2.5 / 4, 0.0])
