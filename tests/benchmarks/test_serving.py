"""The serving benchmark at toy size: that it measures what it says, not how fast anything is."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.serving_index.comparison import IndexBenchmark, recall
from benchmarks.serving_index.vectors import catalogue, queries
from benchmarks.serving_load.loop import Calls
from benchmarks.serving_load.swaps import swap_result
from benchmarks.serving_report.benchmark import Benchmark
from benchmarks.serving_report.chart import draw
from benchmarks.serving_report.results import (
    BATCHING,
    ECHO,
    EXACT,
    IN_PROCESS,
    PORTABLE,
    SCANN,
    SERVER,
    IndexResult,
    Latencies,
    LoadResult,
    Results,
    SwapResult,
    summarise,
)
from benchmarks.serving_report.tables import show
from preprocessing.schema import InputError
from trainer.progress import Progress

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(1800)  # a dozen processes are started, one after another


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "serving.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
        cwd="/",
        check=False,
    )


def calls(seconds: list[float], code: list[int], stop: float = 10.0) -> Calls:
    return Calls(np.arange(len(seconds), dtype=float), np.array(seconds), np.array(code), 0.0, stop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Load and swaps of the small model, by the real command, and what it printed."""
    output = tmp_path_factory.mktemp("serving") / "out"
    done = command(
        *("--output", output, "--part", "load", "--part", "swaps", "--callers", "2"),
        *("--seconds", 0.5, "--rounds", 1, "--swaps", 1, "--server-flag=--enable_model_warmup=false"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return output, done.stdout


def test_server_and_floors_answer_every_call(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    record = json.loads((folder / "serving.json").read_text())
    loads = {each["target"]: each for each in record["load"]}
    assert set(loads) == {ECHO, IN_PROCESS, SERVER, BATCHING}
    for each in loads.values():
        assert each["callers"] == 2
        latencies = each["latencies"]
        assert latencies["calls"] > 0
        assert latencies["failures"] == 0
        assert 0 < latencies["p50"] <= latencies["p90"] <= latencies["p99"]
        assert each["target"] in printed
    assert loads[ECHO]["p50_to_echo"] == loads[ECHO]["rate_to_echo"] == 1


def test_no_call_fails_while_versions_are_swapped(finished: tuple[Path, str]) -> None:
    record = json.loads((finished[0] / "serving.json").read_text())
    swaps = record["swaps"]
    assert len(swaps["seconds"]) == 1
    assert swaps["codes"] == {}
    assert swaps["calm"]["calls"] > 0 and swaps["swapping"]["calls"] > 0
    assert not (finished[0] / "swaps" / "model").exists()
    assert "failed requests during 1 swaps" in {goal["name"] for goal in record["goals"]}


def test_indexes_are_compared_with_brute_force(tmp_path: Path) -> None:
    said = io.StringIO()
    benchmark = IndexBenchmark(tmp_path, Progress(Console(file=said)), query_count=64)
    results = benchmark.measure([500], seconds=0.5)
    assert [(each.kind, each.size) for each in results] == [(EXACT, 500), (SCANN, 500), (PORTABLE, 500)]
    for each in results:
        assert each.recall > 0.99  # so few are searched exactly by every kind
        assert each.per_second > 0 and each.batched_per_second > 0
        assert each.build_seconds >= 0 and each.memory > 0
    assert "Building and asking indexes (3)" in said.getvalue()
    assert {path.suffix for path in tmp_path.iterdir()} == {".log"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--callers", "1,x"], "--callers 1,x: must be whole numbers above 0"),
        (["--sizes", "0"], "--sizes 0: must be whole numbers above 0"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = command("--output", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_versions_is_no_model(tmp_path: Path, folder: str) -> None:
    model = tmp_path / folder
    with pytest.raises(InputError, match=f"^--model {model}: no folder of a model's versions"):
        Benchmark(tmp_path / "out", model, [], Console())
    assert not (tmp_path / "out").exists()


def test_percentiles_count_slow_answers_and_rates_do_not() -> None:
    summary = summarise([calls([0.001, 0.003, 8.5], [0, 0, 0]), calls([0.002, 0.0], [0, 14])])
    assert (summary.calls, summary.failures) == (4, 1)
    assert summary.per_second == 3 / 20
    assert summary.p50 == pytest.approx(2.5)
    assert summary.p99 > 8000


def test_no_answer_at_all_is_no_crash() -> None:
    summary = summarise([calls([0.1], [14])])
    assert (summary.calls, summary.failures, summary.p99, summary.per_second) == (0, 1, 0, 0)


def test_swaps_divide_the_calls_into_calm_and_swapping() -> None:
    """Calls begin at 0, 1, 2 … s; versions are swapped from 2 to 4 s."""
    measured = calls([0.1, 0.2, 3.5, 0.4, 9.0], [0, 14, 0, 0, 0])
    result = swap_result(measured, [(2.0, 2.5), (2.5, 4.0)], 4)
    assert (result.calm.calls, result.calm.failures) == (1, 1)
    assert (result.swapping.calls, result.swapping.failures) == (2, 0)
    assert result.swapping.p99 > 3000  # it ended after the last swap, but it is one's fault
    assert result.seconds == [0.5, 1.5]
    assert result.codes == {"UNAVAILABLE": 1}


def test_recall_does_not_ask_for_the_order() -> None:
    best = np.array([[1, 2, 3, 4]])
    assert recall(np.array([[4, 3, 2, 1]]), best) == 1
    assert recall(np.array([[9, 1, 8, 7]]), best) == 0.25


def test_vectors_are_the_same_each_time_and_queries_are_near_them() -> None:
    vectors = catalogue(300, 16)
    np.testing.assert_array_equal(vectors, catalogue(300, 16))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    asked = queries(vectors, 50)
    assert (asked @ vectors.T).max(axis=1).mean() > 0.8


def results(p50: float, rate: float, p99: float, failures: int, times: float, found: float) -> Results:
    """Whatever is to be reached, at 1M items, with these numbers."""

    def latencies(p99: float = 1.0, failures: int = 0) -> Latencies:
        return Latencies(10, failures, 10.0, 1.0, 1.0, p99)

    def index(kind: str, recall: float, per_second: float) -> IndexResult:
        return IndexResult(kind, 1_000_000, recall, 1.0, 1.0, per_second, 1.0, 1.0, 1.0, 1.0)

    return Results(
        load=[
            LoadResult(ECHO, 1, latencies(), 1.0, 1.0),
            LoadResult(SERVER, 1, latencies(), 1.0, p50),
            LoadResult(BATCHING, 16, latencies(), rate, 1.0),
        ],
        swaps=SwapResult(4, latencies(), latencies(p99, failures), [1.0] * 10, {}),
        index=[index(EXACT, 1.0, 1.0), index(SCANN, found, times), index(PORTABLE, found, times)],
    )


def test_goals_are_told_reached_or_not() -> None:
    good, bad = results(2.0, 0.5, 4.9, 0, 20.0, 0.98), results(2.1, 0.4, 5.0, 1, 2.0, 0.9)
    assert len(good.goals()) == 8
    assert all(goal.reached for goal in good.goals())
    assert not any(goal.reached for goal in bad.goals())
    assert Results().goals() == []


def test_tables_and_chart_show_everything(tmp_path: Path) -> None:
    from matplotlib.image import imread

    everything = results(2.0, 0.5, 4.9, 0, 20.0, 0.98)
    said = io.StringIO()
    show(everything, Console(file=said, width=160))
    for text in (BATCHING, "10 swaps under 4 callers", "1,000,000", "0.9800", "scann at 1M: recall@10"):
        assert text in said.getvalue()
    draw(everything, tmp_path / "serving.png")
    assert np.var(imread(tmp_path / "serving.png")) > 0.01


def test_the_warm_up_is_not_counted(finished: tuple[Path, str]) -> None:
    measured = Calls.read(finished[0] / "swaps" / "calls.npz")
    assert (measured.begun >= measured.start).all()
