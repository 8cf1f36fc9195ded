"""How the job server starts a worker and hears that it is lost."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_fn_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import ExternalWorkerHandler, WorkerHandler

from preprocessing.errors import WorkerLostError

LOOK_SECONDS = 0.5
CONNECT_SECONDS = 120.0

LOST = "a worker process ended in the middle of its work; was it out of memory?"
LATE = f"a worker process did not connect in {CONNECT_SECONDS:.0f} seconds"
NEVER = "a worker process ended before it had connected"


class PoolWorkerHandler(ExternalWorkerHandler):
    """One worker of a pool.

    `--environment_config` holds the addresses of the pools with commas between, and the workers are started
    in them by turns. Beam's own handler knows one pool, and waits for ever for a worker that was killed.
    """

    def __init__(
        self, payload: beam_runner_api_pb2.ExternalPayload, state: Any, provision: Any, server: Any
    ) -> None:
        super().__init__(payload, state, provision, server)
        pools = payload.endpoint.url.split(",")
        number = int(self.worker_id.rsplit("_", 1)[1])
        self._external_payload = beam_runner_api_pb2.ExternalPayload()
        self._external_payload.CopyFrom(payload)
        self._external_payload.endpoint.url = pools[number % len(pools)].strip()
        self._stopped = threading.Event()

    def start_worker(self) -> None:
        """Asks the pool for a worker and watches it from then on."""
        super().start_worker()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop_worker(self) -> None:
        """Ends the watch; the worker ends when its connection does."""
        self._stopped.set()
        super().stop_worker()

    def _watch(self) -> None:
        reader, began = self.control_conn._read_thread, time.monotonic()
        while not self._stopped.wait(LOOK_SECONDS):
            if reader.ident is None:
                self._look_for_unconnected(late=time.monotonic() - began > CONNECT_SECONDS)
            elif not reader.is_alive():
                self._fail(WorkerLostError(LOST))

    def _look_for_unconnected(self, late: bool) -> None:
        try:
            super().start_worker()  # which starts it once, and then tells how it is
        except (RuntimeError, grpc.RpcError) as error:
            reason = error.details() if isinstance(error, grpc.RpcError) else error
            self._fail(WorkerLostError(f"{NEVER}: {reason}"))
        else:
            if late:
                self._fail(WorkerLostError(LATE))

    def _fail(self, error: WorkerLostError) -> None:
        """Answers what the worker was asked, as a worker does in which a step fails."""
        waiting, reason = self.control_conn._futures_by_id, f"{type(error).__name__}: {error}"
        for name in list(waiting):
            waiting.pop(name).set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=reason))


def use_pools() -> None:
    """Makes this process start the workers of external environments so."""
    register = WorkerHandler.register_environment(
        common_urns.environments.EXTERNAL.urn, beam_runner_api_pb2.ExternalPayload
    )
    register(PoolWorkerHandler)
