"""What is required of a model, and whether it holds."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.evaluation.measures import Metric
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.report import Report, Row
from pipelines.evaluation.requirements import Blessing, Requirement, bless
from preprocessing.schema import InputError
from serving.client import Client
from serving.errors import ServingError

VERSION = ModelVersion("runs/shop/model/3", 3, "abc")
REPORT = Report(
    name="shop",
    split="leave_last",
    part="test",
    cases=2,
    targets=2,
    rows=(
        Row("Tandem", {"NDCG@10": Metric(0.25, 0.2, 0.3)}, {"unseen items": {"NDCG@10": Metric(0.0)}}),
        Row("popularity", {"NDCG@10": Metric(0.75)}, peer=True),
    ),
    choices={},
    model=VERSION,
)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("ndcg@10>=0.1", ("NDCG@10", "all", ">=", 0.1)),
        (" Recall@100 [ Unseen Items ] > 1e-3 ", ("Recall@100", "unseen items", ">", 0.001)),
        ("mrr[new]>0", ("MRR", "new users", ">", 0.0)),
        ("ndcg@10[unseen, history]>0", ("NDCG@10", "unseen, history", ">", 0.0)),
        ("recall@10[history 1-5]<1", ("Recall@10", "history 1-5", "<", 1.0)),
        ("rmse<=.95", ("RMSE", "all", "<=", 0.95)),
        ("ANN recall@10>=0.95", ("ANN recall@10", "all", ">=", 0.95)),
    ],
)
def test_a_requirement_is_read(text: str, parsed: tuple[str, str, str, float]) -> None:
    requirement = Requirement.parse(text)
    assert (requirement.metric, requirement.part, requirement.comparison, requirement.bound) == parsed
    assert requirement.text == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ndcg@10", "expected a metric, possibly a slice in brackets, one of >=, <=, >, < and a number"),
        ("ndcg@10==0.1", "expected a metric"),
        ("ndcg@10=>0.1", "expected a metric"),
        ("", "expected a metric"),
        (">0.1", "expected a metric"),
        ("ndcg@10[unseen>0", "expected a metric"),
        (
            "ndgc@10>0.1",
            r"no metric 'ndgc@10'; there are 'Recall@10', 'Recall@100', 'NDCG@10', 'MRR', 'RMSE', 'AUC'",
        ),
        (
            "ndcg@10[old]>0",
            "no slice 'old'; there are 'unseen items', .* 'unseen, history', 'seen, history',",
        ),
        ("ndcg@10[]>0", "no slice ''"),
        ("gini@10[new]<1", "slices have Recall@10, Recall@100, NDCG@10, MRR, RMSE, AUC alone, not Gini@10"),
        ("ndcg@10>a", "'a' is no number"),
        ("ndcg@10>nan", "'nan' is no number"),
        ("ndcg@10<inf", "'inf' is no number"),
    ],
)
def test_what_is_no_requirement_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Requirement.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ndcg@10>=0.25", True),
        ("ndcg@10>0.25", False),
        ("ndcg@10<=0.25", True),
        ("ndcg@10<0.25", False),
        ("ndcg@10[unseen]>=0", True),
        ("ndcg@10[unseen]>0", False),
    ],
)
def test_the_first_row_is_judged(text: str, holds: bool) -> None:
    blessing = bless(REPORT, [Requirement.parse(text)])
    (finding,) = blessing.findings
    assert (finding.requirement, finding.holds, blessing.blessed) == (text, holds, holds)
    assert finding.value == (0.0 if "[" in text else 0.25)
    assert (blessing.model, blessing.data, blessing.part) == (VERSION, "shop", "test")


def test_one_that_does_not_hold_is_enough() -> None:
    requirements = [Requirement.parse(text) for text in ("ndcg@10>0.2", "ndcg@10>0.3", "ndcg@10>0")]
    blessing = bless(REPORT, requirements)
    assert [finding.holds for finding in blessing.findings] == [True, False, True]
    assert not blessing.blessed


def test_without_requirements_a_model_is_blessed() -> None:
    assert bless(REPORT, []).blessed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auc>0.5", "'auc>0.5': Tandem was not judged by AUC here, but by NDCG@10"),
        ("mrr[unseen]>0", "was not judged by MRR here, but by NDCG@10"),
        (
            "ndcg@10[new]>0",
            "the test part holds no target of the slice 'new users'; there are 'unseen items'",
        ),
    ],
)
def test_what_the_report_does_not_have_is_told(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        bless(REPORT, [Requirement.parse(text)])


@pytest.mark.parametrize(("labelled", "used", "other"), [(True, "rmse", "auc"), (False, "auc", "rmse")])
def test_the_metric_of_labels_fits_the_data(labelled: bool, used: str, other: str) -> None:
    Requirement.parse(f"{used}<=1").check(labelled)
    Requirement.parse("ndcg@10>0").check(labelled)
    said = rf"{other}\[head\]<=1'.* judged by {used.upper()} and not by {other.upper()}"
    with pytest.raises(InputError, match=said):
        Requirement.parse(f"{other}[head]<=1").check(labelled)


def test_a_blessing_is_written_and_read(tmp_path: Path) -> None:
    blessing = bless(REPORT, [Requirement.parse("ndcg@10>0.3")])
    blessing.write(tmp_path / "made")
    assert Blessing.read(tmp_path / "made") == blessing
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["blessing.json"]
    assert json.loads((tmp_path / "made" / "blessing.json").read_text()) == {
        "blessed": False,
        "model": {"source": "runs/shop/model/3", "number": 3, "digest": "abc"},
        "data": "shop",
        "part": "test",
        "findings": [{"requirement": "ndcg@10>0.3", "value": 0.25, "holds": False}],
    }


def test_what_is_no_blessing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"blessing.json: cannot be read: No such file"):
        Blessing.read(tmp_path)
    (tmp_path / "blessing.json").write_text('{"blessed": true}')
    with pytest.raises(InputError, match=r"blessing.json: holds no blessing"):
        Blessing.read(tmp_path)


def test_each_requirement_is_printed() -> None:
    output = io.StringIO()
    requirements = [Requirement.parse(text) for text in ("ndcg@10[unseen]>0", "ndcg@10>0")]
    bless(REPORT, requirements).print(Console(file=output))
    assert output.getvalue().splitlines() == [
        "ndcg@10[unseen]>0: 0.0000, does not hold",
        "ndcg@10>0: 0.2500, holds",
        "not blessed",
    ]


def test_without_requirements_nothing_is_printed() -> None:
    output = io.StringIO()
    bless(REPORT, []).print(Console(file=output))
    assert output.getvalue() == ""


def test_a_server_that_is_not_there_is_not_waited_for_as_long_as_a_call_may_take() -> None:
    with Client("localhost:1", timeout=3600) as client, pytest.raises(ServingError, match="no server at"):
        ModelVersion.of_server(client, 0.2)


def test_a_folder_is_known_by_its_number_and_content(tmp_path: Path) -> None:
    for name in ("12", "latest", "13"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"1" if name == "13" else b"0")
    twelve, latest, other = (ModelVersion.of_folder(str(tmp_path / name)) for name in ("12", "latest", "13"))
    assert (twelve.number, latest.number) == (12, None)
    assert twelve.digest == latest.digest != other.digest
    assert ModelVersion.of_folder(str(tmp_path / "nope")).digest is None
