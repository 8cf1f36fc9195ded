"""Runs requests that come at the same time as one batch.

No thread waits for work here. The first request of a batch leads it, in its own thread: it waits until the
batch is full or the timeout is over, then for one of the slots in which batches may run, while others still
join; it runs the batch and hands each request its rows. So a request that nobody joins costs no switch of
threads, and batches grow by themselves while the slots are taken.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from serving.batching import joining
from serving.batching.parameters import BatchingParameters
from serving.errors import Code, ServingError
from serving.models import runs
from serving.monitoring.events import BatchDone, Events

RunBatch = Callable[[Any, Sequence[np.ndarray]], Sequence[np.ndarray]]


class BatchScheduler:
    """What all models of a server share: the parameters, and the slots in which batches run.

    Args:
        parameters: when requests are joined.
        events: where a `BatchDone` is told for each batch.
    """

    def __init__(self, parameters: BatchingParameters, events: Events):
        self.parameters = parameters
        self.events = events
        self.slots = threading.Semaphore(parameters.num_batch_threads)


class _Task:
    """One request in a batch; `finished` is held until there is an answer or an error."""

    def __init__(self, arrays: joining.Arrays, rows: int, deadline: float | None):
        self.arrays = arrays
        self.rows = rows
        self.deadline = deadline
        self.enqueued = time.monotonic()
        self.outputs: Sequence[np.ndarray] | None = None
        self.error: Exception | None = None
        self.finished = threading.Lock()
        self.finished.acquire()

    def wait(self) -> Sequence[np.ndarray]:
        """Waits for the answer, no longer than the deadline."""
        timeout = -1.0 if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if not self.finished.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
            raise runs.too_late()
        return self.answer()

    def answer(self) -> Sequence[np.ndarray]:
        """Gives the answer that is there, or raises the error."""
        if self.error is not None:
            raise self.error
        assert self.outputs is not None
        return self.outputs


class _Batch:
    """Requests that will run together; `full` is held until no other fits."""

    def __init__(self, first: _Task):
        self.tasks = [first]
        self.rows = first.rows
        self.full = threading.Lock()
        self.full.acquire()

    def add(self, task: _Task) -> None:
        self.tasks.append(task)
        self.rows += task.rows


class Batcher:
    """Batches the requests of one model, those for the same outputs of the same signature together.

    Args:
        scheduler: parameters and slots.
        run: runs the graph on what is fed for a call.
    """

    def __init__(self, scheduler: BatchScheduler, run: RunBatch):
        self._parameters = scheduler.parameters
        self._slots = scheduler.slots
        self._events = scheduler.events
        self._run_batch = run
        self._lock = threading.Lock()
        self._open: dict[Hashable, _Batch] = {}
        self._waiting: collections.Counter[Hashable] = collections.Counter()

    def run(
        self, call: Hashable, arrays: joining.Arrays, deadline: float | None = None
    ) -> Sequence[np.ndarray]:
        """Runs a call for one request, together with others that come in time.

        Args:
            call: what is fed and fetched.
            arrays: the request's inputs, rows first.
            deadline: on the clock of `time.monotonic`.

        Returns:
            The request's rows of each output.

        Raises:
            ServingError: INVALID_ARGUMENT if the request cannot be batched, UNAVAILABLE if too many batches
                wait, DEADLINE_EXCEEDED, or what the graph says.
        """
        rows = joining.rows(arrays)
        if rows > self._parameters.max_batch_size:
            raise ServingError(
                f"Task size {rows} is larger than maximum input batch size {self._parameters.max_batch_size}"
            )
        step = self._parameters.execution_size
        if rows <= step:
            return self._submit(call, _Task(arrays, rows, deadline))
        parts = [
            self.run(call, [array[start : start + step] for array in arrays], deadline)
            for start in range(0, rows, step)
        ]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _submit(self, call: Hashable, task: _Task) -> Sequence[np.ndarray]:
        key = (call, self._shapes(task.arrays))
        with self._lock:
            batch = self._open.get(key)
            if batch is not None and batch.rows + task.rows <= self._parameters.execution_size:
                batch.add(task)
                if batch.rows == self._parameters.execution_size:
                    self._close(key, batch)
                leads = False
            else:
                batch = self._begin(call, key, batch, task)
                leads = True
        if not leads:
            return task.wait()
        self._lead(call, key, batch)
        return task.answer()

    def _begin(self, call: Hashable, key: Hashable, last: _Batch | None, task: _Task) -> _Batch:
        """Opens a batch, and closes the last one, into which the task did not fit."""
        if self._waiting[call] and self._waiting[call] >= self._parameters.max_enqueued_batches:
            raise ServingError(
                "The batch scheduling queue to which this task was submitted is full", Code.UNAVAILABLE
            )
        if last is not None:
            self._close(key, last)
        self._waiting[call] += 1
        batch = _Batch(task)
        self._open[key] = batch
        if batch.rows >= self._parameters.execution_size:
            self._close(key, batch)
        return batch

    def _close(self, key: Hashable, batch: _Batch) -> None:
        """Lets no other request join; holds the lock."""
        if self._open.get(key) is batch:
            del self._open[key]
            batch.full.release()

    def _lead(self, call: Hashable, key: Hashable, batch: _Batch) -> None:
        wait = batch.tasks[0].enqueued + self._parameters.batch_timeout_s - time.monotonic()
        if wait > 0:
            batch.full.acquire(timeout=min(wait, threading.TIMEOUT_MAX))
        with self._slots:
            with self._lock:
                self._close(key, batch)
                self._waiting[call] -= 1
                if not self._waiting[call]:
                    del self._waiting[call]
            self._process(call, batch)

    def _process(self, call: Hashable, batch: _Batch) -> None:
        """Runs a batch that is closed; whatever happens, nobody is left waiting."""
        now = time.monotonic()
        tasks = [task for task in batch.tasks if task.deadline is None or now < task.deadline]
        try:
            self._answer(call, tasks, now)
        except Exception as error:
            for task in tasks:
                task.error = error
        for task in batch.tasks:
            if task.outputs is None and task.error is None:
                task.error = runs.too_late()
            task.finished.release()

    def _answer(self, call: Hashable, tasks: Sequence[_Task], now: float) -> None:
        if not tasks:
            return
        sizes = tuple(task.rows for task in tasks)
        padding = self._parameters.padding(sum(sizes))
        self._events.tell(
            BatchDone(
                self._parameters.thread_pool_name,
                tuple(now - task.enqueued for task in tasks),
                sizes,
                padding,
            )
        )
        try:
            outputs = self._run_joined(call, tasks, padding)
        except Exception:
            if len(tasks) == 1:
                raise
            self._answer_each(call, tasks)
            return
        for task, own in zip(tasks, joining.part(outputs, sizes, padding), strict=True):
            task.outputs = own

    def _answer_each(self, call: Hashable, tasks: Sequence[_Task]) -> None:
        """Runs each request alone, so that the one that spoils the batch spoils no other."""
        for task in tasks:
            padding = self._parameters.padding(task.rows)
            try:
                outputs = self._run_joined(call, [task], padding)
                (task.outputs,) = joining.part(outputs, [task.rows], padding)
            except Exception as error:
                task.error = error

    def _run_joined(self, call: Hashable, tasks: Sequence[_Task], padding: int) -> Sequence[np.ndarray]:
        return self._run_batch(call, joining.join([task.arrays for task in tasks], padding))

    def _shapes(self, arrays: joining.Arrays) -> Hashable:
        """What must be equal for requests to be joined: inner shapes, or ranks where they are padded."""
        if self._parameters.pad_variable_length_inputs:
            return tuple(array.ndim for array in arrays)
        return tuple(array.shape[1:] for array in arrays)
