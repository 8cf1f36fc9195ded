"""What a test does with the commands that README and docs show, and what has to come of it.

A new command is an entry in `STEPS`, which stands in the order of execution; or, if a test cannot run it, in
`NOT_RUN` with the reason.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pipelines.evaluation.requirements import Blessing
from preprocessing.schema import Schema
from tests.tiny_workspace import PRODUCTS, Result, Workspace

NOT_RUN = {
    r"make .*": "installs, trains or tests everything; CI does, and tests/test_readme.py has the targets",
    r"(\.venv/bin/python -m )?pip install .*": "installs; CI does",
    r"docker .*": "the tests need no docker; tests/serving/deploy and tests/pipelines/vertex check the files",
    r"kubectl .*": "the tests need no cluster; tests/serving/deploy checks the manifests",
    r"(\.venv/bin/)?python benchmarks/\w+\.py .*": "has tests of its own, in tests/benchmarks",
    r"python -m preprocessing\.cluster\..*": "for several machines; tests/preprocessing/cluster has one",
    r"tandem preprocess .* --runner=PortableRunner .*": "the same",
    r"tandem preprocess .* --runner=DataflowRunner .*": "starts a job on Google Cloud; "
    "tests/preprocessing/test_dataflow.py has its options and its graph",
    r"tandem vertex submit --config shop\.yaml": "starts a pipeline on Google Cloud; --dry-run is executed",
}


@dataclass(frozen=True)
class Step:
    """What is done with the commands that match.

    Attributes:
      pattern: of the whole command.
      check: whether it did what the docs say, given its result.
      before: brings about what the docs take for granted.
      folder: the working directory, within the workspace.
      shorter: settings that only make it long, and what they are here.
    """

    pattern: str
    check: Callable[[Result], None]
    before: Callable[[Workspace], None] = field(default=lambda workspace: None)
    folder: str = "."
    shorter: Mapping[str, str] = field(default_factory=dict)


def _says(*parts: str) -> Callable[[Result], None]:
    def check(result: Result) -> None:
        assert result.status == 0, result.output
        for part in parts:
            assert re.search(part, result.output, re.MULTILINE), f"{part!r} is not in\n{result.output}"

    return check


def _leaves(*paths: str, says: tuple[str, ...] = ()) -> Callable[[Result], None]:
    def check(result: Result) -> None:
        _says(*says)(result)
        for path in paths:
            assert Path(path).exists(), f"{path} was not written\n{result.output}"

    return check


def _answers_with_rows(result: Result) -> None:
    _says(r"^│ +1 │")(result)


def _prints_items(result: Result) -> None:
    assert result.status == 0 and len(result.output.splitlines()) >= 5


def _judged(result: Result) -> None:
    """The status is 1 if a requirement does not hold, as the README says."""
    assert {path.name for path in Path("evaluation").iterdir()} == {
        "metrics.json",
        "blessing.json",
        "report.html",
    }
    assert result.status == (0 if Blessing.read(Path("evaluation")).blessed else 1), result.output
    assert "popularity" in result.output


def _judged_against_a_baseline(result: Result) -> None:
    _judged(result)
    assert "Tandem less Baseline" in result.output
    assert json.loads(Path("evaluation/metrics.json").read_text())["rows"][1]["model"] == "Baseline"


def _made_a_shop(result: Result) -> None:
    """The README's config reads tables that stand as it says."""
    _leaves("runs/shop/serving/1/saved_model.pb", "runs/shop/evaluation/report.html")(result)
    schema = Schema.read(Path("runs/shop/examples"))
    assert schema.counts["items"] == PRODUCTS
    assert {feature.name for feature in schema.items.features} == {"category", "tags", "price", "knowledge"}
    assert [column.name for column in schema.users.text.columns] == ["comment"]


def _tuned(result: Result) -> None:
    _leaves("runs/tuning/trials.csv", "runs/tuning/trials.png")(result)
    assert yaml.safe_load(Path("runs/tuning/best.yaml").read_text())["model"]["dimension"] == 16


def _cleaned(result: Result) -> None:
    _says("Remove this?")(result)
    assert len(list(Path("runs").glob("*/lineage.json"))) > 3
    assert (
        len([run for run in Path("runs").glob("*/lineage.json") if (run.parent / "examples").exists()]) == 3
    )


def _model_of_shop_at(name: str) -> Callable[[Workspace], None]:
    """Another run of the same config, earlier."""
    return lambda workspace: shutil.copytree(
        workspace.folder / "runs" / "shop", workspace.folder / "runs" / name, dirs_exist_ok=True
    )


def _server_of(model: str, name: str = "default") -> Callable[[Workspace], None]:
    return lambda workspace: workspace.serve_here(workspace.folder / model, name)


def _predicted(result: Result) -> None:
    outputs = json.loads(result.output)["outputs"]
    assert outputs["item_id"][0] and "50" not in outputs["item_id"][0]


MOVIELENS = r"tandem run --config configs/movielens-100k\.yaml"
SERVE_MOVIELENS = r"tandem serve --model_base_path=runs/movielens-100k/serving"
STEPS = (
    Step(
        MOVIELENS,
        _leaves(
            *(f"runs/movielens-100k/{name}" for name in ("lineage.json", "recommendations.txt")),
            says=(
                "^tandem recommend --user",
                "^Serve it: tandem serve --model_base_path=runs/movielens-100k/serving",
            ),
        ),
    ),
    Step(
        r"tandem preprocess --config configs/movielens-100k\.yaml --output examples --workers 2",
        _leaves("examples/schema.json"),
    ),
    Step(f"{MOVIELENS} --until train", _says("^preprocess: nothing.*reused", "^train: nothing.*reused")),
    Step(f"{MOVIELENS} --force evaluate", _says("^export: nothing.*reused", r"^evaluate: done in [\d.]+ s")),
    Step(f"{MOVIELENS} --from export", _says("^export: nothing.*reused", "^push: nothing.*reused")),
    Step(r"tandem evaluate --model runs/movielens-100k/model .*", _judged),
    Step(SERVE_MOVIELENS, _says("^Running gRPC")),
    Step(r"tandem (recommend --user|recommend --history|search) .*", _answers_with_rows),
    Step(r"python -c .*Client\(.*", _prints_items),
    Step(f"{SERVE_MOVIELENS} --rest_api_port=8501", _says("^Exporting HTTP/REST API")),
    Step(r"curl http://localhost:8501/v1/models/default", _says('"state": "AVAILABLE"')),
    Step(r"curl http://localhost:8501/v1/models/default:predict .*", _predicted),
    Step(
        r"tandem recommend --model_name tandem .*",
        _answers_with_rows,
        before=_server_of("runs/movielens-100k/serving", "tandem"),
    ),
    Step(r"tandem run --config shop\.yaml", _made_a_shop, shorter={"shop.yaml": "shop.yaml --until push"}),
    Step(
        r"tandem evaluate --model runs/shop/model .*",
        _judged_against_a_baseline,
        before=_model_of_shop_at("last-week"),
    ),
    Step(
        r"tandem evaluate --server localhost:8500 .*",
        _says("popularity", "Tandem"),
        before=_server_of("runs/shop/model"),
    ),
    Step(
        r"tandem run --config shop\.yaml --output runs/tuesday --warm-start runs/monday",
        _leaves("runs/tuesday/training/training.json", says=("Starting from runs/monday/training",)),
        before=_model_of_shop_at("monday"),
        shorter={"runs/monday": "runs/monday --until train"},
    ),
    Step(r"tandem index add .*", _leaves("runs/shop/serving/2/saved_model.pb")),
    Step(r"tandem index build .*", _leaves("runs/shop/serving/3/saved_model.pb")),
    Step(r"tandem tune .*", _tuned, shorter={"--trials 30 --parallel 2": "--trials 1 --parallel 1"}),
    Step(
        r"tandem run --config runs/tuning/best\.yaml",
        _leaves("runs/best/examples/schema.json"),
        shorter={"best.yaml": "best.yaml --until preprocess"},
    ),
    Step(r"tandem runs list", _says("│ movielens-100k +│.*│ 7 of 7 ", "│ shop ")),
    Step(
        r"tandem runs compare runs/movielens-100k runs/wider",
        _says("movielens-100k", "wider", r"NDCG@10"),
        before=_model_of_shop_at("wider"),
    ),
    Step(r"tandem runs clean --keep 3", _cleaned),
    Step(
        r"tandem vertex compile .*", _leaves("pipeline.yaml", says=("^wrote pipeline.yaml",)), folder="bucket"
    ),
    Step(r"tandem vertex submit --config shop\.yaml --dry-run", _says(r'"pipelineSpec"'), folder="bucket"),
)
