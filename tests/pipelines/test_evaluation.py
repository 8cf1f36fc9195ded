"""Evaluation on a tiny split that is written out by hand, against slow definitions."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.cli.evaluate import saved_model_folder
from pipelines.evaluation.answers import catalogue_answers
from pipelines.evaluation.cases import (
    Cases,
    Indices,
    Interactions,
    read_cases,
    read_ids,
    read_interactions,
    with_validation,
)
from pipelines.evaluation.judge import Baseline, Judge, judge
from pipelines.evaluation.measures import Metric, Samples
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.peers.popularity import Popularity, popularity
from pipelines.evaluation.questions import Questions, draw_others
from pipelines.evaluation.report import Report
from pipelines.evaluation.requests import Requests
from pipelines.evaluation.slices import ALL
from preprocessing.schema import RESERVED, Entity, InputError, Label, Schema, write_vocabulary
from preprocessing.schema.serialized import serialize

ITEMS = ["apple", "bean", "corn", "date", "elder", "größe"]  # indices 2 to 7
USERS = ["ann", "bob", "cat"]  # indices 2 to 4
TRAIN = [
    {"user": 2, "item": [4, 5], "label": [3.0, 4.0], "time": [3, 4], "start": 2},
    {"user": 2, "item": [2, 3], "label": [1.0, 5.0], "time": [1, 2], "start": 0},
    {"user": 3, "item": [2, 4], "label": [2.0, 4.0], "time": [1, 2], "start": 0},
]
VALIDATION = [{"user": 2, "history": [2, 3, 4, 5], "item": [6], "label": [2.0], "time": [5]}]
TEST = [
    {"user": 2, "history": [2, 3, 4, 5, 6], "item": [7], "label": [5.0], "time": [6]},
    {"user": 3, "history": [2, 4], "item": [3, 6, 3], "label": [1.0, 4.0, 2.0], "time": [3, 4, 5]},
    {"user": 4, "history": [], "item": [2], "label": [3.0], "time": [9]},
]


def write_examples(folder: Path, labels: bool = True, test: Sequence[Mapping[str, Any]] = TEST) -> Schema:
    folder.mkdir(exist_ok=True)
    parts = {"items": [], "users": [], "train": TRAIN, "validation": VALIDATION, "test": test}
    for name, rows in parts.items():
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for row in rows:
                kept = {key: [] if key == "label" and not labels else value for key, value in row.items()}
                scalars = {key: [kept[key]] for key in ("user", "start") if key in kept}
                writer.write(serialize(kept | scalars))
    write_vocabulary(folder / "items.txt", ITEMS)
    write_vocabulary(folder / "users.txt", USERS)
    schema = Schema(
        name="groceries",
        items=Entity(id_column="item_id", vocabulary="items.txt", size=8, first_unseen=7),
        users=Entity(id_column="user_id", vocabulary="users.txt", size=5, first_unseen=4),
        label=Label(name="rating", minimum=1, maximum=5) if labels else None,
        split="temporal",
        window=2,
        files={name: (name,) for name in parts},
        counts={name: len(rows) for name, rows in parts.items()},
    )
    schema.write(folder)
    return schema


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    write_examples(tmp_path / "examples")
    return tmp_path / "examples"


class TableModel:
    """Answers the signatures from one score an item id, and remembers what it was asked."""

    def __init__(
        self, scores: Mapping[str, float], k: int = 100, obeys: bool = True, knows: bool = True
    ) -> None:
        self.scores = {name.encode(): score for name, score in scores.items()}
        self.k = k
        self.obeys = obeys
        self.knows = knows
        self.users: list[bytes] = []

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        if signature == "describe":
            return {
                "title": np.array([item.title() if self.knows else b"" for item in inputs["item_id"]], object)
            }
        self.users += list(inputs["user_id"])
        if signature == "rank":
            values = np.vectorize(lambda item: self.scores.get(item, -9.0))(inputs["candidate_id"])
            answer = {"score": values, "retrieved": values, "rating": values}
        else:
            rows = [self._list(set(row) if self.obeys else set()) for row in inputs["exclude"]]
            answer = {
                "item_id": np.array([[item for item, _ in row] for row in rows], dtype=object),
                "score": np.array([[score for _, score in row] for row in rows], np.float32),
                "because": np.array([[self._newest(past)] * self.k for past in inputs["history"]], object),
            }
        return {name: answer[name] for name in outputs or answer}

    @staticmethod
    def _newest(history: np.ndarray) -> bytes:
        known = [item for item in history if item]
        return known[-1] if known else b""

    def _list(self, excluded: set[bytes]) -> list[tuple[bytes, float]]:
        kept = [(item, score) for item, score in self.scores.items() if item not in excluded]
        kept = sorted(kept, key=lambda pair: -pair[1])[: self.k]
        return kept + [(b"", -1e38)] * (self.k - len(kept))


def questions(model: TableModel, examples: Path) -> tuple[Questions, Cases]:
    schema = Schema.read(examples)
    cases = read_cases(examples, schema, "test")
    ids = read_ids(examples, schema.items), read_ids(examples, schema.users)
    return Questions(model, Requests(cases, *ids), Progress(disable=True)), cases


def test_windows_join_into_histories_whatever_their_order(examples: Path) -> None:
    interactions = read_interactions(examples, Schema.read(examples))
    assert interactions.user.tolist() == [2, 2, 2, 2, 3, 3]
    assert interactions.item.tolist() == [2, 3, 4, 5, 2, 4]
    assert interactions.label is not None
    assert interactions.label.tolist() == [1, 5, 3, 4, 2, 4]
    assert interactions.time is not None
    assert interactions.time.tolist() == [1, 2, 3, 4, 1, 2]


def test_validation_interactions_come_behind_the_training_ones(examples: Path) -> None:
    schema = Schema.read(examples)
    everything = with_validation(read_interactions(examples, schema), examples, schema)
    assert everything.user.tolist() == [2, 2, 2, 2, 2, 3, 3]
    assert everything.item.tolist() == [2, 3, 4, 5, 6, 2, 4]
    assert everything.label is not None
    assert everything.label.tolist() == [1, 5, 3, 4, 2, 2, 4]
    assert everything.time is not None
    assert everything.time.tolist() == [1, 2, 3, 4, 5, 1, 2]


def test_peers_are_fitted_to_the_validation_part_too_when_it_is_for_the_test(tmp_path: Path) -> None:
    # Nobody has elder in the training part; ann has in the validation part.
    test = [{"user": 3, "history": [2, 4], "item": [6], "label": [4.0], "time": [3]}]
    write_examples(tmp_path / "examples", test=test)
    judge = Judge(tmp_path / "examples", "test", Progress(disable=True))
    answers = judge.peer(popularity(8)).answers
    assert answers is not None
    # Of what bob does not know, bean, date and elder have one each, größe none.
    np.testing.assert_array_equal(answers.ranks, [2])


def test_what_somebody_had_twice_is_one_in_the_matrix() -> None:
    twice = Interactions(np.array([2, 2, 2, 3]), np.array([3, 2, 3, 2]), None)
    expected = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]]
    np.testing.assert_array_equal(twice.matrix(4, 4).toarray(), expected)
    assert twice.item_counts(4).tolist() == [0, 0, 2, 2]


def test_cases_hold_each_target_once_with_its_newest_label(examples: Path) -> None:
    cases = read_cases(examples, Schema.read(examples), "test")
    assert cases.user.tolist() == [2, 3, 4]
    assert [history.tolist() for history in cases.history] == [[2, 3, 4, 5, 6], [2, 4], []]
    assert cases.target.tolist() == [7, 3, 6, 2]
    assert cases.case.tolist() == [0, 1, 1, 2]
    assert cases.label is not None
    assert cases.label.tolist() == [5, 2, 4, 3]
    assert list(cases.batches(2)) == [(slice(0, 2), slice(0, 3)), (slice(2, 3), slice(3, 4))]


def test_a_model_of_other_examples_is_refused(examples: Path) -> None:
    with pytest.raises(InputError, match="is it a model of other examples"):
        judge(TableModel({"a": 1.0}, knows=False), examples, "test", Progress(disable=True))


def test_an_empty_part_is_refused(tmp_path: Path) -> None:
    schema = write_examples(tmp_path / "empty", test=[])
    with pytest.raises(InputError, match="the test part holds nothing new to its users"):
        read_cases(tmp_path / "empty", schema, "test")


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


def test_popularity_by_hand(examples: Path) -> None:
    schema = Schema.read(examples)
    popular = Popularity(read_interactions(examples, schema).item_counts(8))
    answers = catalogue_answers(popular, read_cases(examples, schema, "test"), items=8)
    # ann: 7 alone is left. bob: of 3, 5 (one each), 6, 7 (none) 3 ties for first, 6 for third.
    # cat: of all six, 2 and 4 tie for first.
    np.testing.assert_array_equal(answers.ranks, [1, 1.5, 3.5, 1.5])
    shown = [[item for item in row if item] for row in answers.top.tolist()]
    assert shown == [[7], [3, 5, 6, 7], [2, 4, 3, 5, 6, 7]]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    examples = tmp_path_factory.mktemp("groceries") / "examples"
    write_examples(examples)
    model = TableModel(dict(zip(ITEMS, [3.0, 3.0, 1.0, 1.0, 4.0, 1.0], strict=True)))
    return judge(model, examples, "test", Progress(disable=True))


def test_the_whole_report(report: Report, tmp_path: Path) -> None:
    rows = {row.model: row.metrics for row in report.rows}
    assert [row.model for row in report.rows if not row.peer] == ["Tandem", "Tandem, retrieval"]
    peers = ["EASE", "item-kNN", "recent popularity", "popularity", "user + item bias"]
    assert [row.model for row in report.rows if row.peer] == peers
    assert (report.cases, report.targets) == (3, 4)
    assert rows["popularity"]["Recall@10"].value == 1
    # ann, bob and cat are shown 1, 4 and 6 items: 7 thrice, 3, 5 and 6 twice, 2 and 4 once.
    assert rows["popularity"]["Coverage@10"] == Metric(1.0)
    assert rows["popularity"]["Gini@10"].value == pytest.approx((-5 - 3 - 2 + 2 + 6 + 15) / (5 * 11))
    report.write(tmp_path / "made" / "metrics.json")
    written = json.loads((tmp_path / "made" / "metrics.json").read_text())
    assert written["rows"][0]["metrics"]["RMSE"]["value"] == pytest.approx(math.sqrt(17 / 4))
    assert Report.read(tmp_path / "made" / "metrics.json") == report


def test_a_report_fits_a_terminal(report: Report) -> None:
    output = io.StringIO()
    report.print(Console(file=output, width=80))
    assert "groceries, temporal split, test part: 3 cases, 4 targets" in output.getvalue()
    assert "…" not in output.getvalue()
    assert "NDCG@10: Tandem - " in output.getvalue()


def test_a_baseline_is_a_row_of_its_own_and_a_table_that_fits_a_terminal(examples: Path) -> None:
    model, other = (
        TableModel(dict(zip(ITEMS, scores, strict=True)))
        for scores in ([3.0, 3.0, 1.0, 1.0, 4.0, 1.0], [1.0, 1.0, 1.0, 5.0, 2.0, 1.0])
    )
    version, rival = ModelVersion("a", 1), ModelVersion("b", 2)
    progress = Progress(disable=True)
    report = judge(model, examples, "test", progress, version, Baseline(other, rival))
    assert (report.model, report.baseline) == (version, rival)
    assert [row.model for row in report.rows[:3]] == ["Tandem", "Baseline", "Tandem, retrieval"]
    tandem, baseline = report.rows[:2]
    assert report.baseline_row is baseline
    for part, metrics in ((ALL, tandem.metrics), *tandem.slices.items()):
        theirs = baseline.metrics if part == ALL else baseline.slices[part]
        assert baseline.ahead[part].keys() == {"Recall@10", "Recall@100", "NDCG@10", "MRR", "RMSE"}
        for name, lead in baseline.ahead[part].items():
            assert lead.value == pytest.approx(metrics[name].value - theirs[name].value)
            assert lead.low <= lead.value <= lead.high
    assert set(report.serving) == {"Tandem", "Baseline"}
    report.print(Console(file=(output := io.StringIO()), width=80))
    assert "Tandem less Baseline" in output.getvalue()
    assert "…" not in output.getvalue()
    assert "Baseline: ANN recall@10 1.0000" in output.getvalue()


def test_slices_of_the_report(report: Report) -> None:
    assert {name: (each.cases, each.targets) for name, each in report.slices.items()} == {
        "unseen items": (1, 1),  # größe for ann
        "seen items": (2, 3),
        "head": (1, 1),  # apple for cat
        "torso": (1, 1),  # bean for bob
        "tail": (1, 1),  # elder for bob
        "unseen, history": (1, 1),
        "seen, history": (1, 2),
        "new users": (1, 1),
        "no history": (1, 1),
        "history 1-5": (2, 3),
    }
    tandem = report.rows[0].slices
    # bob's list is elder, bean, then ties: bean is ranked among all items, elder before it.
    assert tandem["tail"]["NDCG@10"].value == 1
    assert tandem["torso"]["NDCG@10"].value == pytest.approx(1 / math.log2(3))
    assert tandem["unseen items"]["Recall@10"].value == 1


def test_the_lead_is_the_difference_of_the_metrics(report: Report) -> None:
    tandem, *others = report.rows
    assert not tandem.ahead
    for row in others[:-1]:  # the bias ranks nothing
        for name in ("Recall@10", "NDCG@10"):
            lead = row.ahead["all"][name].value
            assert lead == pytest.approx(tandem.metrics[name].value - row.metrics[name].value)
            for part in report.slices:
                lead = row.ahead[part][name].value
                assert lead == pytest.approx(tandem.slices[part][name].value - row.slices[part][name].value)


def test_clicks_have_an_auc_for_everybody(tmp_path: Path) -> None:
    write_examples(tmp_path / "clicks", labels=False)
    model = TableModel(dict(zip(ITEMS, [5.0, 4.0, 1.0, 2.0, 2.0, 6.0], strict=True)))
    report = judge(model, tmp_path / "clicks", "test", Progress(disable=True))
    for row in report.rows:
        assert "AUC" in row.metrics
        assert "RMSE" not in row.metrics


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"rows": []}')
    with pytest.raises(InputError, match=r"metrics.json: holds no report"):
        Report.read(tmp_path / "metrics.json")
    with pytest.raises(InputError, match=r"nope.json: cannot be read: No such file"):
        Report.read(tmp_path / "nope.json")


def test_the_interval_over_targets_draws_whole_cases() -> None:
    values, case = np.array([[1.0, 1.0, 1.0, 1.0, 6.0]]).T, np.array([3, 3, 3, 3, 7])
    (metric,) = Samples.of_targets("AUC", values, case).metrics()
    assert (metric.value, metric.low, metric.high) == pytest.approx((2.0, 1.0, 6.0))


def test_the_lead_in_rmse_is_of_the_roots_and_paired() -> None:
    generator = np.random.default_rng(0)
    errors = generator.random(300)
    samples = Samples.of_targets("RMSE", np.column_stack([errors, 4 * errors, errors]), np.arange(300))
    first, double, same = samples.metrics()
    assert first.value == pytest.approx(math.sqrt(errors.mean()))
    ahead = samples.leads()
    assert ahead[1].value == pytest.approx(first.value - double.value) == pytest.approx(-first.value)
    # Twice the root in every resample: the lead is as uncertain as the root itself, no more.
    assert (ahead[1].low, ahead[1].high) == pytest.approx((-first.high, -first.low))
    assert ahead[2] == Metric(0.0, 0.0, 0.0) and same == first
    assert ahead[1].certain and not ahead[2].certain


def test_the_newest_version_is_judged(tmp_path: Path) -> None:
    for name in ("2", "10", "11"):
        (tmp_path / name).mkdir()
    for name in ("2", "10"):
        (tmp_path / name / "saved_model.pb").touch()
    assert saved_model_folder("--model", str(tmp_path)) == str(tmp_path / "10")
    assert saved_model_folder("--model", str(tmp_path / "2")) == str(tmp_path / "2")
    with pytest.raises(InputError, match="neither a SavedModel nor a folder of versions"):
        saved_model_folder("--model", str(tmp_path / "11"))
    with pytest.raises(InputError, match="no such folder"):
        saved_model_folder("--model", str(tmp_path / "nope"))


@pytest.mark.parametrize("options", [[], ["--model", "m", "--server", "localhost:1"]])
def test_the_command_wants_one_model(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--examples", "e", *options])
    assert isinstance(result.exception, InputError)
    assert "either --model (a folder) or --server (host:port)" in str(result.exception)
