"""Item-kNN: items that many people of one's history's items have as well."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp

from pipelines.evaluation.cases import Indices, Interactions, history_matrix
from pipelines.evaluation.peers.peer import Kind, Peer, Settings

NEIGHBOURS = (20, 100, 500)
SHRINKAGES = (0.0, 10.0, 50.0, 100.0)


class ItemKnn:
    """Scores an item by the sum of its similarities to those items of the history that are near it.

    Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001; without a
    normalisation, as Ferrari Dacrema et al., "Are we really making much progress?", RecSys 2019.

    Args:
      similarities: `[N, N]` sparse; column i holds the similarities of the neighbours of item i.
    """

    def __init__(self, similarities: sp.csr_matrix) -> None:
        self._similarities = similarities

    def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
        """See `Peer`."""
        return (history_matrix(histories, self._similarities.shape[0]) @ self._similarities).toarray()


def item_knn(users: int, items: int) -> Kind:
    """Item-kNN over numbers of neighbours and shrinkages."""
    grid = [
        {"neighbours": neighbours, "shrinkage": shrinkage}
        for shrinkage in SHRINKAGES
        for neighbours in NEIGHBOURS
    ]

    def fit(interactions: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        matrix = interactions.matrix(users, items)
        together = (matrix.T @ matrix).tocoo()
        for shrinkage, alike in itertools.groupby(grid, lambda settings: settings["shrinkage"]):
            similarities = cosine_similarities(together, shrinkage)
            places = neighbour_places(similarities)
            for settings in alike:
                yield ItemKnn(nearest(similarities, places, settings["neighbours"]))

    return Kind("item-kNN", grid, fit)


def cosine_similarities(together: sp.coo_matrix, shrinkage: float) -> sp.csc_matrix:
    """The cosine of each two different items' sets of users, drawn towards 0 where they share few.

    Args:
      together: `[N, N]`, how many users have both items; the diagonal holds how many have each.
      shrinkage: added to the denominator.

    Returns:
      `[N, N]` sparse, the diagonal empty.
    """
    sizes = together.diagonal()
    row, column, both = together.row, together.col, together.data
    cosine = both / (np.sqrt(sizes[row] * sizes[column]) + shrinkage)
    other = row != column
    return sp.csc_matrix((cosine[other].astype(np.float32), (row[other], column[other])), together.shape)


def neighbour_places(similarities: sp.csc_matrix) -> np.ndarray:
    """The place of each value in its column by falling value, from 0; of equals the lower row first."""
    similarities.sort_indices()
    column = np.repeat(np.arange(similarities.shape[1]), np.diff(similarities.indptr))
    order = np.lexsort((-similarities.data, column))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - similarities.indptr[column]
    return places


def nearest(similarities: sp.csc_matrix, places: np.ndarray, neighbours: float) -> sp.csr_matrix:
    """Keeps the `neighbours` largest values of each column."""
    kept = sp.csc_matrix(
        (np.where(places < neighbours, similarities.data, 0), similarities.indices, similarities.indptr),
        similarities.shape,
        copy=True,
    )
    kept.eliminate_zeros()
    return kept.tocsr()
