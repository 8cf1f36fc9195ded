"""How a model and its peers are asked, and how their answers are judged."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress

from pipelines.evaluation.answers import catalogue_answers
from pipelines.evaluation.cases import Cases, Indices, read_cases, read_ids
from pipelines.evaluation.judge import Judge, judge
from pipelines.evaluation.peers.popularity import popularity
from pipelines.evaluation.questions import Questions, draw_others
from pipelines.evaluation.requests import Requests
from preprocessing.schema import RESERVED, InputError, Schema
from tests.pipelines.small_split import ITEMS, TableModel, write_examples


def questions(model: TableModel, examples: Path) -> tuple[Questions, Cases]:
    schema = Schema.read(examples)
    cases = read_cases(examples, schema, "test")
    ids = read_ids(examples, schema.items), read_ids(examples, schema.users)
    return Questions(model, Requests(cases, *ids), Progress(disable=True)), cases


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=6, max_size=6))
def test_a_model_that_lists_everything_is_judged_as_a_peer_is(scores: list[float]) -> None:
    class Table:
        def scores(self, users: Indices, histories: Sequence[np.ndarray]) -> np.ndarray:
            return np.tile([9.0, 9.0, *scores], (len(histories), 1))

    cases = Cases(
        user=np.array([2, 3, 4]),
        history=(np.array([2, 3]), np.array([7]), np.array([], np.int64)),
        target=np.array([4, 5, 2, 6]),
        case=np.array([0, 0, 1, 2]),
        label=None,
    )
    names = np.array(["", "", *ITEMS])
    ids = np.array([name.encode() for name in names], dtype=object)
    users = np.array([b"", b"", b"ann", b"bob", b"cat"], dtype=object)
    model = TableModel(dict(zip(ITEMS, scores, strict=True)), k=8)
    asked = Questions(model, Requests(cases, ids, users), Progress(disable=True)).answers("serving_default")
    peer = catalogue_answers(Table(), cases, items=8)
    np.testing.assert_array_equal(asked.ranks, peer.ranks)
    # The table model too puts the first of equals in front.
    np.testing.assert_array_equal(asked.top, peer.top)


def test_a_target_behind_the_end_of_the_list_is_not_found(examples: Path) -> None:
    model = TableModel(dict(zip(ITEMS, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], strict=True)), k=2)
    asked, _ = questions(model, examples)
    # ann has only 'größe' left; bob gets bean and date, so elder is missing; cat gets apple first.
    np.testing.assert_array_equal(asked.answers("retrieve").ranks, [1, 1, math.inf, 1])


def test_a_user_without_history_is_asked_for_as_nobody(examples: Path) -> None:
    model = TableModel(dict.fromkeys(ITEMS, 1.0))
    asked, _ = questions(model, examples)
    asked.answers("serving_default")
    assert model.users == [b"ann", b"bob", b""]


def test_a_model_of_other_examples_is_refused(examples: Path) -> None:
    with pytest.raises(InputError, match="is it a model of other examples"):
        judge(TableModel({"a": 1.0}, knows=False), examples, "test", Progress(disable=True))


def test_a_model_that_returns_an_excluded_item_is_refused(examples: Path) -> None:
    asked, _ = questions(TableModel(dict.fromkeys(ITEMS, 1.0), obeys=False), examples)
    with pytest.raises(InputError, match=r"serving_default returned item .* to user 'ann', who excluded it"):
        asked.answers("serving_default")


def test_a_model_that_returns_a_stranger_is_refused(examples: Path) -> None:
    asked, _ = questions(TableModel({"apple": 1.0, "pear": 2.0}), examples)
    with pytest.raises(InputError, match="returned item 'pear', which is not in the examples' catalogue"):
        asked.answers("retrieve")


def test_auc_without_labels(tmp_path: Path) -> None:
    schema = write_examples(tmp_path / "clicks", labels=False)
    cases = read_cases(tmp_path / "clicks", schema, "test")
    assert cases.label is None
    scores = dict(zip(ITEMS, [5.0, 4.0, 1.0, 2.0, 2.0, 6.0], strict=True))
    judged = Judge(tmp_path / "clicks", "test", Progress(disable=True)).model("Tandem", TableModel(scores))
    drawn = draw_others(cases, schema.items.size)
    by_index = {index: scores[name] for index, name in enumerate(ITEMS, RESERVED)}
    wins = [0.5]  # ann has no stranger to compare with
    for target, other in list(zip(cases.target, drawn, strict=True))[1:]:
        wins.append((by_index[target] > by_index[other]) + (by_index[target] == by_index[other]) / 2)
    assert judged.labels["AUC"].tolist() == wins


def test_drawn_items_are_strangers_to_the_user(tmp_path: Path) -> None:
    schema = write_examples(tmp_path / "clicks", labels=False)
    cases = read_cases(tmp_path / "clicks", schema, "test")
    for target, item in enumerate(draw_others(cases, schema.items.size)):
        case = cases.case[target]
        assert item not in cases.history[case]
        assert item not in cases.target[cases.case == case]
    assert draw_others(cases, schema.items.size)[0] == 0  # ann knows the whole catalogue


def test_peers_are_fitted_to_the_validation_part_too_when_it_is_for_the_test(tmp_path: Path) -> None:
    # Nobody has elder in the training part; ann has in the validation part.
    test = [{"user": 3, "history": [2, 4], "item": [6], "label": [4.0], "time": [3]}]
    write_examples(tmp_path / "examples", test=test)
    judge = Judge(tmp_path / "examples", "test", Progress(disable=True))
    answers = judge.peer(popularity(8)).answers
    assert answers is not None
    # Of what bob does not know, bean, date and elder have one each, größe none.
    np.testing.assert_array_equal(answers.ranks, [2])
