"""iALS: matrix factorisation for implicit feedback, as the package `implicit` does it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares

from pipelines.evaluation.cases import Indices, Interactions, history_matrix
from pipelines.evaluation.peers.peer import Kind, Peer, Settings

FACTORS = (64, 128, 256)
ALPHAS = (1.0, 5.0, 20.0, 50.0)
REGULARISATIONS = (1.0, 10.0)
ITERATIONS = 15


class Ials:
    """Scores an item by its product with the vector that fits the history best.

    Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008. The
    user's vector is solved for anew from the history, so the newest items count too.

    Args:
      model: a fitted one.
    """

    def __init__(self, model: AlternatingLeastSquares) -> None:
        self._model = model

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        matrix = history_matrix(histories, len(self._model.item_factors))
        with threadpoolctl.threadpool_limits(1, "blas"):  # implicit runs threads of its own
            vectors = self._model.recalculate_user(np.arange(len(histories)), matrix)
        return vectors @ self._model.item_factors.T


def ials(users: int, items: int) -> Kind:
    """IALS over numbers of factors, weights of what somebody has, and regularisations.

    How much these matter: Rendle et al., "Revisiting the performance of iALS on item recommendation
    benchmarks", RecSys 2022.
    """
    grid = [
        {"factors": factors, "alpha": alpha, "regularisation": regularisation}
        for factors, alpha, regularisation in itertools.product(FACTORS, ALPHAS, REGULARISATIONS)
    ]

    def fit(interactions: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        matrix = interactions.matrix(users, items)
        for settings in grid:
            with threadpoolctl.threadpool_limits(1, "blas"):
                model = AlternatingLeastSquares(
                    int(settings["factors"]),
                    regularization=settings["regularisation"],
                    alpha=settings["alpha"],
                    iterations=ITERATIONS,
                    random_state=0,
                )
                model.fit(matrix, show_progress=False)
            yield Ials(model)

    return Kind("iALS", grid, fit)
