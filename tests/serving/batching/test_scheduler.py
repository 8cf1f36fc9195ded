"""When requests are joined, and that none can tell."""

import threading
import time

import numpy as np
import pytest

from serving.batching.parameters import BatchingParameters
from serving.batching.scheduler import Batcher, BatchScheduler
from serving.errors import Code, ServingError
from serving.monitoring.events import BatchDone, Events

LONG = 3600.0  # a timeout that no test waits for
LONGEST = (2**63 - 1) / 1e6  # that batch_timeout_micros can say


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
        if any(-2.0 in array for array in arrays):
            raise RuntimeError("a fault of ours")
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
            except Exception as error:
                self.results[name] = error

        thread = threading.Thread(target=run, daemon=True)
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


@pytest.mark.parametrize("timeout", [LONG, LONGEST])
def test_a_full_batch_does_not_wait_for_its_timeout(graph, eventually, timeout):
    batcher = make(graph, batch_timeout_s=timeout)
    callers = Callers(batcher)
    callers.start("a", [1.0, 2.0])
    waiting(batcher, 2, eventually)
    callers.start("b", [3.0, 4.0])
    assert callers.join() == {"a": [2.0, 4.0], "b": [6.0, 8.0]}
    assert len(graph.fed) == 1


def test_a_batch_that_is_not_full_runs_when_the_timeout_is_over(busy, graph, eventually):
    batcher, callers = busy(batch_timeout_s=0.05)
    callers.start("a", [1.0])
    waiting(batcher, 1, eventually)
    graph.gate.set()
    assert callers.join() == {"first": [0.0], "a": [2.0]}
    assert graph.fed == [[[0.0]], [[1.0]]]


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
    assert {name for name, result in callers.join().items() if isinstance(result, Exception)} == set()
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


@pytest.mark.parametrize("bad", [[-1.0], [-2.0], [-1.0, -2.0]], ids=str)
def test_those_that_fail_spoil_no_other(busy, graph, eventually, bad):
    batcher, callers = busy(max_batch_size=8)
    for rows, value in enumerate([1.0, *bad, 3.0], 1):
        callers.start(value, [value])
        waiting(batcher, rows, eventually)
    graph.gate.set()
    results = callers.join()
    assert (results[1.0], results[3.0]) == ([2.0], [6.0])
    faults = {-1.0: "no negative numbers", -2.0: "a fault of ours"}
    assert [str(results[value]) for value in bad] == [faults[value] for value in bad]


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
