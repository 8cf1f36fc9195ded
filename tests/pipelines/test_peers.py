"""Each peer against a slow definition of it, and the choice of its settings."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.answers import catalogue_answers
from pipelines.evaluation.cases import Cases, Indices, Interactions, read_cases, read_interactions
from pipelines.evaluation.peers.bias import UserItemBias
from pipelines.evaluation.peers.ease import Ease, ease
from pipelines.evaluation.peers.item_knn import (
    ItemKnn,
    cosine_similarities,
    item_knn,
    nearest,
    neighbour_places,
)
from pipelines.evaluation.peers.peer import Kind, Peer, Settings
from pipelines.evaluation.peers.popularity import OrPopular, Popularity, popularity, recent_popularity
from pipelines.evaluation.peers.text import TextMean, TextNearest, text_mean, text_nearest
from pipelines.evaluation.peers.usual import LARGEST_EASE, usual_peers
from pipelines.evaluation.tuning import refit, tune, tune_bias
from preprocessing.schema import Schema

USERS, ITEMS = 12, 6
ALL_USERS = np.arange(USERS)
seeds = st.integers(0, 1000)


def binary(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((USERS, ITEMS)) < 0.4).astype(np.float32)


def interactions_of(matrix: np.ndarray) -> Interactions:
    user, item = np.nonzero(matrix)
    return Interactions(user, item, None, time=np.arange(len(user)))


def histories_of(matrix: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(row) for row in matrix]


@given(seeds, st.sampled_from([0.5, 10.0, 200.0]))
def test_ease_is_a_ridge_regression_of_each_item_on_the_others(seed: int, strength: float) -> None:
    matrix = binary(seed)
    scores = Ease(matrix.T @ matrix, strength).scores(ALL_USERS, histories_of(matrix))
    expected = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        inputs = matrix[:, others]
        normal = inputs.T @ inputs + strength * np.eye(ITEMS - 1)
        expected[others, item] = np.linalg.solve(normal, inputs.T @ matrix[:, item])
    np.testing.assert_allclose(scores, matrix @ expected, atol=1e-5)


def test_ease_is_the_same_however_many_blocks_its_matrix_is_mirrored_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = binary(0)
    whole = Ease(matrix.T @ matrix, 5.0).scores(ALL_USERS, histories_of(matrix))
    monkeypatch.setattr("pipelines.evaluation.peers.ease.BLOCK", 4)
    blocks = Ease(matrix.T @ matrix, 5.0).scores(ALL_USERS, histories_of(matrix))
    np.testing.assert_array_equal(whole, blocks)


@given(seeds, st.integers(1, ITEMS), st.sampled_from([0.0, 3.0]))
def test_item_knn_adds_the_similarities_of_the_nearest(seed: int, neighbours: int, shrinkage: float) -> None:
    matrix = binary(seed)
    both, sizes = matrix.T @ matrix, matrix.sum(axis=0)
    similarity = np.zeros((ITEMS, ITEMS), np.float32)
    for one in range(ITEMS):
        for other in set(range(ITEMS)) - {one}:
            if both[one, other]:
                similarity[one, other] = both[one, other] / (math.sqrt(sizes[one] * sizes[other]) + shrinkage)
    sparse = interactions_of(matrix).matrix(USERS, ITEMS)
    kept = cosine_similarities((sparse.T @ sparse).tocoo(), shrinkage)
    knn = ItemKnn(nearest(kept, neighbour_places(kept), neighbours))
    scores = knn.scores(ALL_USERS, histories_of(matrix))
    for user, history in enumerate(histories_of(matrix)):
        for item in range(ITEMS):
            near = sorted(range(ITEMS), key=lambda other: (-similarity[item, other], other))[:neighbours]
            expected = sum(similarity[item, other] for other in near if other in history)
            assert scores[user, item] == pytest.approx(expected, rel=1e-5)


@given(seeds, st.sampled_from([1, 2, 50]))
def test_text_peers_look_at_the_newest_items(seed: int, last: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(ITEMS, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    histories = [generator.permutation(ITEMS)[: generator.integers(0, 5)] for _ in range(4)]
    means = TextMean(vectors, last).scores(np.arange(4), histories)
    nearest_ones = TextNearest(vectors, last).scores(np.arange(4), histories)
    for history, mean, near in zip(histories, means, nearest_ones, strict=True):
        newest = [vectors[item] for item in history.tolist()[-last:]]
        for item in range(ITEMS):
            cosines = [float(vectors[item] @ other) for other in newest]
            assert mean[item] == pytest.approx(sum(cosines) / max(len(cosines), 1), abs=1e-5)
            assert near[item] == pytest.approx(max(cosines, default=0), abs=1e-5)


def test_popularity_by_hand(examples: Path) -> None:
    schema = Schema.read(examples)
    popular = Popularity(read_interactions(examples, schema).item_counts(8))
    answers = catalogue_answers(popular, read_cases(examples, schema, "test"), items=8)
    # ann: 7 alone is left. bob: of 3, 5 (one each), 6, 7 (none) 3 ties for first, 6 for third.
    # cat: of all six, 2 and 4 tie for first.
    np.testing.assert_array_equal(answers.ranks, [1, 1.5, 3.5, 1.5])
    shown = [[item for item in row if item] for row in answers.top.tolist()]
    assert shown == [[7], [3, 5, 6, 7], [2, 4, 3, 5, 6, 7]]


def test_recent_popularity_counts_the_newest_share() -> None:
    item = np.array([2] * 60 + [3] * 30 + [4] * 6 + [5] * 4)
    shuffled = np.random.default_rng(0).permutation(100)
    interactions = Interactions(np.full(100, 2), item[shuffled], None, time=np.arange(100)[shuffled])
    kind = recent_popularity(7)
    peers = kind.fit(interactions, kind.grid)
    fitted = {settings["newest share"]: peer for settings, peer in zip(kind.grid, peers, strict=True)}
    by_score = {
        share: np.argsort(-peer.scores(np.array([2]), [np.array([], np.int64)])[0], kind="stable").tolist()
        for share, peer in fitted.items()
    }
    # Of the newest 5 four are item 5 and one item 4; the rest goes by all-time popularity.
    assert by_score[0.05] == [5, 4, 2, 3, 0, 1, 6]
    assert by_score[0.5] == [3, 2, 4, 5, 0, 1, 6]
    with pytest.raises(ValueError, match="needs times"):
        next(kind.fit(Interactions(interactions.user, interactions.item, None), kind.grid))


def test_who_is_unknown_to_a_peer_is_shown_what_is_popular() -> None:
    class Silent:
        def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
            return np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])

    scores = OrPopular(Silent(), Popularity(np.array([3, 1, 2]))).scores(np.arange(2), [])
    assert np.argsort(-scores[0]).tolist() == [0, 2, 1]
    np.testing.assert_array_equal(scores[1], [0, 2, 0])


@given(seeds, st.sampled_from([1.0, 5.0, 20.0]))
def test_the_bias_minimises_its_objective(seed: int, strength: float) -> None:
    generator = np.random.default_rng(seed)
    user, item = generator.integers(0, 5, 40), generator.integers(0, 6, 40)
    label = generator.integers(1, 6, 40).astype(float)
    bias = UserItemBias.fit(Interactions(user, item, label), 6, 7, strength)
    design = np.hstack([np.eye(6)[user], np.eye(7)[item]])
    normal = design.T @ design + strength * np.eye(13)
    solution = np.linalg.solve(normal, design.T @ (label - label.mean()))
    np.testing.assert_allclose(np.hstack([bias.user_bias, bias.item_bias]), solution, atol=0.02)
    assert bias.predict(np.array([5]), np.array([6])) == pytest.approx(label.mean())


def one_target_each(targets: list[int], label: np.ndarray | None = None) -> Cases:
    count = len(targets)
    histories = tuple(np.array([], np.int64) for _ in range(count))
    return Cases(np.full(count, 2), histories, np.array(targets), np.arange(count), label)


def test_tuning_keeps_the_first_of_the_best() -> None:
    class Favourite:
        def __init__(self, item: int) -> None:
            self.item = item

        def scores(self, users: Indices, histories: Sequence[Indices]) -> np.ndarray:
            return np.tile(np.arange(40) == self.item, (len(users), 1)).astype(float)

    def fit(_: Interactions, grid: Sequence[Settings]) -> Iterator[Peer]:
        for settings in grid:
            yield Favourite([5, 7, 9, 7][int(settings["number"])])

    told: list[None] = []
    nobody = Interactions(np.zeros(0, np.int64), np.zeros(0, np.int64), None)
    kind = Kind("favourite", [{"number": number} for number in range(4)], fit)
    cases = one_target_each([7, 7, 9])
    tuned = tune(kind, nobody, cases, 40, lambda: told.append(None))
    assert tuned.best.settings == {"number": 1}
    # Two of three targets come first, the third is in the middle of 37 others.
    assert [trial.value for trial in tuned.trials] == pytest.approx([0, 2 / 3, 1 / 3, 2 / 3])
    assert tuned.peer.scores(np.array([2]), [np.array([], np.int64)])[0].argmax() == 7
    assert len(told) == 4


def test_a_refitted_peer_knows_the_newer_interactions() -> None:
    older = Interactions(np.array([2, 2, 3]), np.array([4, 4, 5]), None)
    newer = Interactions(np.array([2, 2, 3, 3, 4, 5]), np.array([4, 4, 5, 5, 5, 5]), None)
    kind = popularity(8)
    tuned = tune(kind, older, one_target_each([4]), 8, lambda: None)
    histories = [np.array([], np.int64)]
    assert tuned.peer.scores(np.array([2]), histories)[0].argmax() == 4
    assert refit(tuned, kind, newer, 8).scores(np.array([2]), histories)[0].argmax() == 5


def test_the_bias_with_the_lowest_error_is_kept() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(1, 6, 60).astype(float)
    interactions = Interactions(generator.integers(2, 5, 60), generator.integers(2, 8, 60), label)
    validation = one_target_each([2, 3, 4], np.array([1.0, 5.0, 3.0]))
    bias, trials, best = tune_bias(interactions, 5, 8, validation)
    assert best.value == min(trial.value for trial in trials)
    assert best.settings == {"strength": bias.strength}
    errors = bias.predict(validation.user, validation.target) - np.array([1.0, 5.0, 3.0])
    assert best.value == pytest.approx(math.sqrt(np.mean(errors**2)))


def test_every_grid_has_the_size_it_says() -> None:
    interactions = interactions_of(binary(1))
    vectors = np.eye(ITEMS, dtype=np.float32)
    kinds, notes = usual_peers(USERS, ITEMS, times=True, texts=vectors)
    assert [kind.name for kind in kinds] == [
        "EASE",
        "item-kNN",
        "text, nearest",
        "text, mean",
        "recent popularity",
        "popularity",
    ]
    assert not notes
    for kind in kinds:
        settings = [tuple(each.values()) for each in kind.grid]
        assert len(settings) == len(set(settings))
        # One point alone is the same peer as among all the others.
        peers = list(kind.fit(interactions, kind.grid))
        assert len(peers) == len(settings)
        (alone,) = kind.fit(interactions, kind.grid[-1:])
        histories = histories_of(binary(1))
        expected = peers[-1].scores(ALL_USERS, histories)
        np.testing.assert_allclose(alone.scores(ALL_USERS, histories), expected, rtol=1e-5)


def test_peers_that_the_data_do_not_allow_are_left_out() -> None:
    kinds, notes = usual_peers(3, LARGEST_EASE + 1, times=False, texts=None)
    assert [kind.name for kind in kinds] == ["item-kNN", "popularity"]
    assert notes == ["EASE was left out: 20,001 items, and it is fitted up to 20,000."]


@pytest.mark.parametrize("learn", [ease, item_knn])
def test_a_peer_that_learns_from_others_finds_what_goes_together(learn: Callable[..., Kind]) -> None:
    # Two worlds of six items; whoever has three items of one is offered its other three.
    worlds = np.kron(np.eye(2), np.ones((10, 6)))
    user, item = np.nonzero(worlds * (np.random.default_rng(0).random(worlds.shape) < 0.8))
    kind = learn(len(worlds), 12)
    for peer in kind.fit(Interactions(user, item, None), kind.grid):
        (scores,) = peer.scores(np.array([0]), [np.array([0, 1, 2])])
        assert scores[3:6].min() > scores[6:].max()


def test_text_peers_say_nothing_of_an_empty_history() -> None:
    vectors = np.eye(3, dtype=np.float32)
    for kind in (text_mean(vectors), text_nearest(vectors)):
        for peer in kind.fit(interactions_of(binary(1)), kind.grid):
            assert not peer.scores(np.array([2]), [np.array([], np.int64)]).any()
