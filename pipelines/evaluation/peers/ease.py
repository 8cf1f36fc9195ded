"""EASE: each item predicted linearly from the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import lapack

from pipelines.evaluation.cases import Indices, Interactions, history_matrix
from pipelines.evaluation.peers.peer import Kind, Peer, Settings

STRENGTHS = (20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
FEW_STRENGTHS = (20.0, 100.0, 500.0)
"""For a catalogue of more than `LARGE` items, where a fit takes a minute; the optimum is a flat one."""
LARGE = 5_000
BLOCK = 1024


class Ease:
    """The linear model that predicts each item from the others: B with a zero diagonal.

    B minimises |X - XB|² + strength |B|² for the binary matrix X of training interactions, in closed
    form: with P = (XᵀX + strength I)⁻¹, B = -P / diag(P) off the diagonal. Inverting takes the cube of
    the catalogue's size. An empty history scores every item 0.
    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.

    Args:
      gram: `[N, N]`, XᵀX.
      strength: of the regularisation, above 0.
    """

    def __init__(self, gram: np.ndarray, strength: float) -> None:
        self._weights = _inverse(gram, strength)
        self._weights /= -self._weights.diagonal().copy()
        np.fill_diagonal(self._weights, 0)

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        return history_matrix(histories, len(self._weights)) @ self._weights


def ease(users: int, items: int) -> Kind:
    """EASE over strengths of the regularisation."""
    strengths = FEW_STRENGTHS if items > LARGE else STRENGTHS

    def fit(interactions: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        matrix = interactions.matrix(users, items)
        gram = (matrix.T @ matrix).toarray()
        for settings in grid:
            yield Ease(gram, settings["strength"])

    return Kind("EASE", [{"strength": strength} for strength in strengths], fit)


def _inverse(gram: np.ndarray, strength: float) -> np.ndarray:
    """The inverse of `gram + strength I`, in single precision and C order.

    By its Cholesky factor, which takes half the time and, in place, half the memory of a general
    inverse. The eigenvalues lie between the strength and a few thousand times it, so single precision
    leaves three digits or more.
    """
    regular = np.array(gram, np.float32, order="F")
    regular[np.diag_indices(len(regular))] += strength
    factor, failed = lapack.spotrf(regular, lower=1, overwrite_a=1)
    if failed:
        raise ValueError(f"no positive definite matrix: spotrf answered {failed}")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    symmetric = inverse.T  # LAPACK's columns are our rows, and its lower triangle our upper one
    for begin in range(0, len(symmetric), BLOCK):
        end = begin + BLOCK
        square = symmetric[begin:end, begin:end]
        square[:] = np.triu(square) + np.triu(square, 1).T
        symmetric[end:, begin:end] = symmetric[begin:end, end:].T
    return symmetric
