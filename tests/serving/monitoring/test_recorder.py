"""Prometheus metrics, under the names and labels of TensorFlow Serving's."""

import re

import pytest

from serving.errors import Code
from serving.monitoring.events import BatchDone, GraphRun, LoadDone, RequestDone, WarmupDone
from serving.monitoring.recorder import Recorder

LOADED = LoadDone("m", 7, "/models/m/7", Code.OK, 0.25)


def samples(page: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    }


def recorded(*events) -> dict[str, float]:
    recorder = Recorder()
    for event in events:
        recorder.record(event)
    return samples(recorder.page())


def test_requests_are_counted_by_model_and_status():
    found = recorded(
        LOADED,
        RequestDone("Predict", "GRPC", "m", Code.OK, 1),
        RequestDone("Predict", "REST", "m", Code.OK, 1),
        RequestDone("Predict", "REST", "m", Code.INVALID_ARGUMENT, 1),
    )
    assert found[':tensorflow:serving:request_count{model_name="m",status="OK"}'] == 2
    assert found[':tensorflow:serving:request_count{model_name="m",status="INVALID_ARGUMENT"}'] == 1


@pytest.mark.parametrize(
    ("entrypoint", "api", "label"),
    [
        ("GRPC", "Predict", "Predict"),
        ("GRPC", "Classify", "Classify"),
        ("REST", "Predict", "predict"),
        ("REST", "Regress", "regress"),
        ("REST", "GetModelStatus", ""),
    ],
)
def test_the_latency_of_what_succeeds_is_in_microseconds(entrypoint, api, label):
    found = recorded(
        LOADED,
        RequestDone(api, entrypoint, "m", Code.OK, 0.5),
        RequestDone(api, entrypoint, "m", Code.NOT_FOUND, 0.5),
    )
    labels = f'model_name="m",API="{label}",entrypoint="{entrypoint}"'
    name = ":tensorflow:serving:request_latency"
    assert found[f"{name}_sum{{{labels}}}"] == 500_000
    assert found[f"{name}_count{{{labels}}}"] == 1
    buckets = {
        re.search('le="(.*)"', key)[1]: value
        for key, value in found.items()
        if key.startswith(f"{name}_bucket")
    }
    assert list(buckets)[:5] == ["10", "18", "32.4", "58.32", "104.976"]
    assert list(buckets)[-3:] == ["8.19309e+08", "1.47476e+09", "+Inf"]
    assert (buckets["393464"], buckets["708235"], buckets["+Inf"]) == (0, 1, 1)


def test_what_tensorflow_serving_does_not_count_over_grpc_is_not_counted():
    found = recorded(LOADED, RequestDone("GetModelStatus", "GRPC", "m", Code.OK, 1))
    assert not any("request" in name for name in found)


def test_made_up_models_share_one_counter():
    unknown = [RequestDone("Predict", "REST", f"made up {n}", Code.NOT_FOUND, 1) for n in range(100)]
    assert recorded(*unknown) == {':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"}': 100}


def test_runs_of_the_graph_and_their_examples():
    found = recorded(GraphRun("Predict", "m", 0.001), GraphRun("Classify", "m", 0.001, examples=3))
    for api in ("Predict", "Classify"):
        labels = f'model_name="m",API="{api}",runtime="TF1"'
        assert found[f":tensorflow:serving:runtime_latency_sum{{{labels}}}"] == 1000
    assert found[':tensorflow:serving:request_example_count_total{model="m"}'] == 3
    assert found[':tensorflow:serving:request_example_counts_count{model="m"}'] == 1


def test_loads_and_warmups():
    found = recorded(
        LOADED,
        LoadDone("m", 8, "/models/m/8", Code.NOT_FOUND, 1),
        WarmupDone("/models/m/7", Code.OK, 0.125),
    )
    attempts = ":tensorflow:cc:saved_model:load_attempt_count"
    assert found[f'{attempts}{{model_path="/models/m/7",status="success"}}'] == 1
    assert found[f'{attempts}{{model_path="/models/m/8",status="fail"}}'] == 1
    latency = ":tensorflow:cc:saved_model:load_latency"
    assert [name for name in found if name.startswith(f"{latency}{{")] == [
        f'{latency}{{model_path="/models/m/7"}}'
    ]
    assert found[f'{latency}{{model_path="/models/m/7"}}'] == 250_000
    warmup = ':tensorflow:serving:model_warmup_latency_sum{model_path="/models/m/7",status="OK"}'
    assert found[warmup] == 125_000


def test_batches():
    found = recorded(BatchDone("pool", (0.001, 0.002), (3, 4), padding=1))
    session = ":tensorflow:serving:batching_session:"
    assert found[f'{session}queuing_latency_sum{{thread_pool_name="pool"}}'] == 3000
    assert found[f'{session}queuing_latency_count{{thread_pool_name="pool"}}'] == 2
    assert found[f"{session}input_batch_size_sum{{}}"] == 7
    assert found[f"{session}processed_batch_size_sum{{}}"] == 8
    assert found[f'{session}padding_size_sum{{execution_batch_size="8"}}'] == 1
    assert found[f"{session}wrapped_run_count{{}}"] == 1


def test_label_values_are_escaped():
    found = recorded(LoadDone("m", 1, '/a"b\\c\nd', Code.NOT_FOUND, 1))
    name = ':tensorflow:cc:saved_model:load_attempt_count{model_path="/a\\"b\\\\c\\nd",status="fail"}'
    assert found == {name: 1}


def test_the_types_are_told():
    page = Recorder().page()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert "# TYPE :tensorflow:serving:request_latency histogram\n" in page
