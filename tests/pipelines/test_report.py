"""The report of an evaluation: its rows, slices and leads, its file and what a terminal shows of it."""

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from pipelines.evaluation.judge import Baseline, judge
from pipelines.evaluation.measures import Metric
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.report import Report
from pipelines.evaluation.slices import ALL
from preprocessing.schema import InputError
from tests.pipelines.small_split import ITEMS, TableModel, write_examples


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
