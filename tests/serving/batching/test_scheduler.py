"""When requests are joined, and that none can tell."""

import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.batching.parameters import BatchingParameters, from_proto
from serving.batching.scheduler import Batcher, BatchScheduler
from serving.errors import Code, ServingError
from serving.models.runs import Run
from serving.models.saved_model import LoadedModel
from serving.monitoring.events import BatchDone, Events
from serving.settings import config_protos

LONG = 3600.0  # a timeout that no test waits for


class Graph:
    """Doubles what it is fed, once the gate is open; notes the batches."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Semaphore(0)
        self.fed = []

    def __call__(self, call, arrays):
        self.running.release()
        self.fed.append([array.tolist() for array in arrays])
        assert self.gate.wait(60)
        if any(-1.0 in array for array in arrays):
            raise ServingError("no negative numbers")
        return [array * 2 for array in arrays]


@pytest.fixture
def graph():
    return Graph()


class Callers:
    """Requests that run at the same time, each in a thread of its own."""

    def __init__(self, batcher):
        self._batcher = batcher
        self._threads = []
        self.results = {}

    def start(self, name, rows, call="call", deadline=None):
        def run():
            try:
                (output,) = self._batcher.run(call, [np.array(rows)], deadline)
                self.results[name] = output.tolist()
            except ServingError as error:
                self.results[name] = error

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)

    def join(self):
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        return self.results


def make(graph, events=None, **parameters) -> Batcher:
    defaults = {"max_batch_size": 4, "num_batch_threads": 1}
    scheduler = BatchScheduler(BatchingParameters(**defaults | parameters), events or Events())
    return Batcher(scheduler, graph)


def waiting(batcher, rows, eventually, call="call"):
    """Waits until so many rows stand in the batches that are open for others to join."""
    eventually(
        lambda: sum(batch.rows for (of, _), batch in list(batcher._open.items()) if of == call) == rows,
        f"{rows} rows wait",
    )


@pytest.fixture
def busy(graph, eventually):
    """A batcher whose only slot is taken until the gate opens."""
    batchers = []

    def start(**parameters):
        graph.gate.clear()
        batcher = make(graph, **parameters)
        callers = Callers(batcher)
        callers.start("first", [0.0])
        assert graph.running.acquire(timeout=60)
        batchers.append(callers)
        return batcher, callers

    yield start
    graph.gate.set()
    for callers in batchers:
        callers.join()


def test_one_request_alone_does_not_wait_without_a_timeout(graph):
    (output,) = make(graph).run("call", [np.array([1.0, 2.0])])
    assert output.tolist() == [2.0, 4.0]
    assert graph.fed == [[[1.0, 2.0]]]


def test_requests_that_wait_for_a_slot_run_as_one_batch(busy, graph, eventually):
    batcher, callers = busy()
    for name, rows in {"a": [1.0], "b": [2.0, 3.0]}.items():
        callers.start(name, rows)
    waiting(batcher, 3, eventually)
    graph.gate.set()
    assert callers.join() == {"first": [0.0], "a": [2.0], "b": [4.0, 6.0]}
    assert len(graph.fed) == 2
    assert sorted(graph.fed[1][0]) == [1.0, 2.0, 3.0]


def test_a_full_batch_does_not_wait_for_its_timeout(graph, eventually):
    batcher = make(graph, batch_timeout_s=LONG)
    callers = Callers(batcher)
    callers.start("a", [1.0, 2.0])
    waiting(batcher, 2, eventually)
    callers.start("b", [3.0, 4.0])
    assert callers.join() == {"a": [2.0, 4.0], "b": [6.0, 8.0]}
    assert len(graph.fed) == 1


def test_a_batch_that_is_not_full_runs_when_the_timeout_is_over(graph):
    batcher = make(graph, batch_timeout_s=0.2)
    begun = time.monotonic()
    batcher.run("call", [np.array([1.0])])
    assert time.monotonic() - begun >= 0.2
    assert graph.fed == [[[1.0]]]


def test_what_does_not_fit_begins_another_batch_and_the_first_waits_no_more(graph, eventually):
    batcher = make(graph, batch_timeout_s=LONG)
    callers = Callers(batcher)
    callers.start("a", [1.0, 2.0, 3.0])
    waiting(batcher, 3, eventually)
    callers.start("b", [4.0, 5.0])
    eventually(lambda: callers.results == {"a": [2.0, 4.0, 6.0]}, "the first batch runs")
    callers.start("c", [6.0, 7.0])
    assert callers.join() == {"a": [2.0, 4.0, 6.0], "b": [8.0, 10.0], "c": [12.0, 14.0]}


def test_too_large_a_request_is_refused(graph):
    with pytest.raises(ServingError) as caught:
        make(graph).run("call", [np.zeros(5)])
    assert str(caught.value) == "Task size 5 is larger than maximum input batch size 4"
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert not graph.fed


def test_large_requests_are_split_where_that_is_asked_for(graph):
    batcher = make(graph, max_batch_size=5, execution_size=2)
    (output,) = batcher.run("call", [np.arange(5.0)])
    assert output.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert [len(fed[0]) for fed in graph.fed] == [2, 2, 1]


def test_a_full_queue_is_unavailable_until_a_batch_runs(busy, graph, eventually):
    batcher, callers = busy(max_enqueued_batches=2)
    callers.start("a", [1.0] * 4)
    eventually(lambda: batcher._waiting["call"] == 1, "one batch waits")
    callers.start("b", [1.0] * 3)
    waiting(batcher, 3, eventually)
    with pytest.raises(ServingError, match=r"batch scheduling queue .* is full") as caught:
        batcher.run("call", [np.array([1.0, 1.0])])
    assert caught.value.code == Code.UNAVAILABLE
    callers.start("c", [2.0])  # into the batch that is not full
    waiting(batcher, 0, eventually)
    callers.start("other", [1.0] * 4, call="another queue")
    graph.gate.set()
    assert {name for name, result in callers.join().items() if isinstance(result, ServingError)} == set()
    assert batcher.run("call", [np.zeros(4)])


def test_each_signature_has_a_queue_of_its_own(busy, graph, eventually):
    batcher, callers = busy()
    callers.start("a", [1.0], call="call")
    callers.start("b", [2.0], call="other")
    waiting(batcher, 1, eventually, "call")
    waiting(batcher, 1, eventually, "other")
    graph.gate.set()
    callers.join()
    assert sorted(graph.fed[1:]) == [[[1.0]], [[2.0]]]


def test_batches_run_beside_one_another_in_as_many_slots_as_there_are(graph, eventually):
    batcher = make(graph, num_batch_threads=2, max_batch_size=1)
    graph.gate.clear()
    callers = Callers(batcher)
    for name in "abc":
        callers.start(name, [1.0])
    assert graph.running.acquire(timeout=60) and graph.running.acquire(timeout=60)
    eventually(lambda: batcher._waiting["call"] == 1, "the third waits")
    assert not graph.running.acquire(blocking=False)
    graph.gate.set()
    callers.join()


@pytest.mark.parametrize("pads", [False, True])
def test_requests_of_unequal_inner_shapes_are_joined_only_with_padding(busy, graph, eventually, pads):
    batcher, callers = busy(pad_variable_length_inputs=pads)
    callers.start("a", [[1.0, 2.0]])
    callers.start("b", [[3.0, 4.0, 5.0]])
    waiting(batcher, 2, eventually)
    graph.gate.set()
    results = callers.join()
    assert results["b"] == [[6.0, 8.0, 10.0]]
    assert results["a"] == ([[2.0, 4.0, 2.0]] if pads else [[2.0, 4.0]])
    assert len(graph.fed) == (2 if pads else 3)


def test_a_request_too_wide_to_pad_the_others_runs_apart(busy, graph, eventually):
    batcher, callers = busy(pad_variable_length_inputs=True)
    callers.start("narrow", [[1.0]] * 3)
    waiting(batcher, 3, eventually)
    callers.start("wide", np.ones((1, 2**24)))
    waiting(batcher, 0, eventually)
    graph.gate.set()
    results = callers.join()
    assert results["narrow"] == [[2.0]] * 3
    assert len(results["wide"][0]) == 2**24


def test_a_batch_is_filled_up_to_an_allowed_size(busy, graph, eventually):
    told = []
    events = Events()
    events.subscribe(told.append)
    batcher, callers = busy(allowed_batch_sizes=(1, 4), events=events)
    callers.start("a", [1.0, 2.0])
    waiting(batcher, 2, eventually)
    graph.gate.set()
    assert callers.join()["a"] == [2.0, 4.0]
    assert graph.fed == [[[0.0]], [[1.0, 2.0, 2.0, 2.0]]]
    assert [(each.sizes, each.padding) for each in told if isinstance(each, BatchDone)] == [
        ((1,), 0),
        ((2,), 2),
    ]


def test_one_that_the_graph_refuses_spoils_no_other(busy, graph, eventually):
    batcher, callers = busy()
    callers.start("good", [1.0])
    callers.start("bad", [-1.0])
    waiting(batcher, 2, eventually)
    graph.gate.set()
    results = callers.join()
    assert results["good"] == [2.0]
    assert str(results["bad"]) == "no negative numbers"


def test_outputs_without_a_row_for_each_row_are_an_error_of_the_signature():
    batcher = make(lambda call, arrays: [np.zeros(9)])
    with pytest.raises(ServingError, match="0th dimension does not equal the sum") as caught:
        batcher.run("call", [np.zeros(2)])
    assert caught.value.code == Code.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([], "at least one input tensor"),
        ([np.array(1.0)], "at least one dimension"),
        ([np.zeros(2), np.zeros(3)], "equal 0th-dimension size"),
    ],
)
def test_what_has_no_rows_cannot_be_batched(graph, arrays, message):
    with pytest.raises(ServingError, match=f"Batching Run.* {message}"):
        make(graph).run("call", arrays)


def test_requests_without_rows_are_answered(graph):
    (output,) = make(graph, allowed_batch_sizes=(2, 4)).run("call", [np.zeros((0, 3))])
    assert output.shape == (0, 3)


def test_whoever_waits_beyond_the_deadline_is_let_go_and_not_run(busy, graph, eventually):
    batcher, callers = busy()
    callers.start("a", [1.0])
    waiting(batcher, 1, eventually)
    callers.start("late", [2.0], deadline=time.monotonic() + 0.1)
    eventually(lambda: "late" in callers.results, "the deadline is over")
    assert callers.results["late"].code == Code.DEADLINE_EXCEEDED
    graph.gate.set()
    assert callers.join()["a"] == [2.0]
    assert graph.fed[1:] == [[[1.0]]]


def test_any_fault_reaches_every_request():
    def broken(call, arrays):
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError, match="a fault of ours"):
        make(broken).run("call", [np.zeros(1)])


def test_nothing_is_left_when_all_are_answered(graph):
    batcher = make(graph)
    for rows in range(1, 5):
        batcher.run(rows, [np.zeros((rows, rows))])
    assert not batcher._open
    assert not batcher._waiting


def batching_proto(**values):
    proto = config_protos.BatchingParameters()
    for name, value in values.items():
        if name == "allowed_batch_sizes":
            proto.allowed_batch_sizes.extend(value)
        else:
            getattr(proto, name).value = value
    return proto


def test_parameters_left_out_have_tensorflow_servings_defaults():
    parameters = from_proto(config_protos.BatchingParameters())
    assert parameters.max_batch_size == parameters.execution_size == 1000
    assert (parameters.batch_timeout_s, parameters.max_enqueued_batches) == (0.0, 10)


def test_parameters_are_read():
    proto = batching_proto(max_batch_size=8, batch_timeout_micros=5000, allowed_batch_sizes=[2, 4])
    proto.enable_large_batch_splitting.value = True
    proto.max_execution_batch_size.value = 4
    parameters = from_proto(proto)
    assert (parameters.max_batch_size, parameters.execution_size) == (8, 4)
    assert parameters.batch_timeout_s == 0.005
    assert [parameters.padding(rows) for rows in (0, 1, 2, 3)] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be positive; was 0"),
        ({"num_batch_threads": 0}, "num_batch_threads must be positive; was 0"),
        ({"batch_timeout_micros": -1}, "batch_timeout_micros must be non-negative; was -1"),
        ({"max_enqueued_batches": -1}, "max_enqueued_batches must be non-negative; was -1"),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": [2, 4]},
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        ),
        ({"max_batch_size": 4, "allowed_batch_sizes": [4, 2, 4]}, "monotonically increasing"),
    ],
)
def test_impossible_parameters_are_refused(values, message):
    with pytest.raises(ServingError, match=message):
        from_proto(batching_proto(**values))


def batched(path, **parameters) -> LoadedModel:
    return LoadedModel(path, batching=BatchScheduler(BatchingParameters(**parameters), Events()))


def test_a_batched_model_answers_as_one_without_batching(tiny_tandem):
    """Ragged histories of many callers at once, padded with "" and not."""
    alone = LoadedModel(tiny_tandem)
    models = [
        batched(tiny_tandem, max_batch_size=8, batch_timeout_s=0.02, pad_variable_length_inputs=pads)
        for pads in (False, True)
    ]
    histories = [["50"], ["181", "258"], ["100", "50", "286"], [""], ["7", "258"]]
    wrong, joined = [], threading.Barrier(len(histories))

    def call(history):
        exclude = np.full((1, len(history) - 1), "100", dtype=object)
        inputs = {"user_id": ["196"], "history": [history], "exclude": exclude}
        expected = alone.predict("", inputs)
        for model in models:
            joined.wait(60)
            for name, array in model.predict("", inputs).items():
                if array.tolist() != expected[name].tolist():
                    wrong.append((history, name, array, expected[name]))

    callers = [threading.Thread(target=call, args=(history,)) for history in histories]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not wrong
    for model in (alone, *models):
        model.close()


def test_a_request_whose_deadline_is_over_is_not_run(half_plus_two):
    model = LoadedModel(half_plus_two)
    signature = model.signature("")
    with pytest.raises(ServingError) as caught:
        model.run_signature(signature, {"x": np.ones(1, np.float32)}, None, Run.within(0.0))
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    model.close()


def test_a_server_batches_with_its_parameters(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 3 }\nbatch_timeout_micros { value: 2000 }\n")
    server = serve(tmp_path, enable_batching=True, batching_parameters_file=str(file))
    answers, failures = {}, []

    def call(number):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([float(number)]))
        try:
            answers[number] = list(stub.Predict(request, timeout=60).outputs["y"].float_val)
        except grpc.RpcError as error:
            failures.append(error)

    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        callers = [threading.Thread(target=call, args=(number,)) for number in range(12)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(60)
        assert not failures
        assert answers == {number: [number / 2 + 2] for number in range(12)}
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0] * 4))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=60)
        assert caught.value.details() == "Task size 4 is larger than maximum input batch size 3"
