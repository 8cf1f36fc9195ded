"""Counts what a server tells of itself, under the names of TensorFlow Serving's metrics."""

from __future__ import annotations

from serving.errors import Code
from serving.monitoring.events import (
    BatchDone,
    Event,
    GraphBuilt,
    GraphRun,
    LoadDone,
    RequestDone,
    SessionRun,
    WarmupDone,
)
from serving.monitoring.metrics import Counter, Histogram, exponential

_LATENCIES = exponential(10, 1.8, 33)  # microseconds, up to 20 minutes and more
_QUEUING_LATENCIES = exponential(100, 1.2, 52)
_SIZES = exponential(1, 2, 15)
_CORE = ":tensorflow:core:"
_SESSION = ":tensorflow:serving:batching_session:"
_COUNTED = ("Predict", "Classify", "Regress")


class Recorder:
    """The metrics of one server: `record` takes its events, `page` writes what they add up to."""

    def __init__(self) -> None:
        self._models: set[str] = set()
        self._requests = Counter(":tensorflow:serving:request_count", ["model_name", "status"])
        self._request_latency = Histogram(
            ":tensorflow:serving:request_latency", ["model_name", "API", "entrypoint"], _LATENCIES
        )
        self._runtime_latency = Histogram(
            ":tensorflow:serving:runtime_latency", ["model_name", "API", "runtime"], _LATENCIES
        )
        self._examples = Histogram(":tensorflow:serving:request_example_counts", ["model"], _SIZES)
        self._examples_total = Counter(":tensorflow:serving:request_example_count_total", ["model"])
        self._session_runs = Counter(f"{_CORE}graph_runs")
        self._session_run_time = Counter(f"{_CORE}graph_run_time_usecs")
        self._builds = Counter(f"{_CORE}graph_build_calls")
        self._build_time = Counter(f"{_CORE}graph_build_time_usecs")
        self._load_attempts = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count", ["model_path", "status"]
        )
        self._load_latency = Counter(":tensorflow:cc:saved_model:load_latency", ["model_path"])
        self._warmup_latency = Histogram(
            ":tensorflow:serving:model_warmup_latency", ["model_path", "status"], _LATENCIES
        )
        self._batches = Counter(f"{_SESSION}wrapped_run_count")
        self._queuing_latency = Histogram(
            f"{_SESSION}queuing_latency", ["thread_pool_name"], _QUEUING_LATENCIES
        )
        self._request_sizes = Histogram(f"{_SESSION}input_batch_size", [], _SIZES)
        self._batch_sizes = Histogram(f"{_SESSION}processed_batch_size", [], _SIZES)
        self._padding = Histogram(f"{_SESSION}padding_size", ["execution_batch_size"], _SIZES)

    def record(self, event: Event) -> None:
        """Counts an event."""
        if isinstance(event, RequestDone):
            self._record_request(event)
        elif isinstance(event, GraphRun):
            self._record_run(event)
        elif isinstance(event, SessionRun):
            self._session_runs.add()
            self._session_run_time.add(amount=_micros(event.seconds))
        elif isinstance(event, GraphBuilt):
            self._builds.add()
            self._build_time.add(amount=_micros(event.seconds))
        elif isinstance(event, BatchDone):
            self._record_batch(event)
        elif isinstance(event, LoadDone):
            self._record_load(event)
        elif isinstance(event, WarmupDone):
            self._warmup_latency.observe(event.path, event.code.name, value=_micros(event.seconds))

    def page(self) -> str:
        """Writes all metrics."""
        metrics = [metric for metric in vars(self).values() if isinstance(metric, (Counter, Histogram))]
        return "".join(f"{line}\n" for metric in metrics for line in metric.lines())

    def _record_request(self, event: RequestDone) -> None:
        if event.entrypoint == "GRPC" and event.api not in _COUNTED:
            return
        # Whoever makes up names must not fill the memory with their counters.
        name = event.model_name if event.model_name in self._models else ""
        self._requests.add(name, event.code.name)
        if event.code == Code.OK:
            self._request_latency.observe(
                name, _api_label(event), event.entrypoint, value=_micros(event.seconds)
            )

    def _record_run(self, event: GraphRun) -> None:
        self._runtime_latency.observe(event.model_name, event.api, "TF1", value=_micros(event.seconds))
        if event.examples:
            self._examples.observe(event.model_name, value=event.examples)
            self._examples_total.add(event.model_name, amount=event.examples)

    def _record_batch(self, event: BatchDone) -> None:
        processed = sum(event.sizes) + event.padding
        self._batches.add()
        self._batch_sizes.observe(value=processed)
        self._padding.observe(str(processed), value=event.padding)
        for seconds, size in zip(event.queuing_seconds, event.sizes, strict=True):
            self._queuing_latency.observe(event.thread_pool_name, value=_micros(seconds))
            self._request_sizes.observe(value=size)

    def _record_load(self, event: LoadDone) -> None:
        self._models.add(event.model_name)
        self._load_attempts.add(event.path, "success" if event.code == Code.OK else "fail")
        if event.code == Code.OK:
            self._load_latency.add(event.path, amount=_micros(event.seconds))


def _api_label(event: RequestDone) -> str:
    """Names the API as TensorFlow Serving labels it, which over REST is the verb in the URL, if any."""
    if event.entrypoint == "GRPC":
        return event.api
    return event.api.lower() if event.api in _COUNTED else ""


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)
