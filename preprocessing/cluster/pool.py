"""Starts worker processes on this machine when a job server asks for them."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import threading
from typing import NamedTuple

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, endpoints_pb2
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance
from google.protobuf import text_format

from preprocessing.cluster.ending import run_until_ended

STOP_SECONDS = 5.0


class _Worker(NamedTuple):
    """A worker process and the address of the job server that it works for."""

    server: str
    process: subprocess.Popen[bytes]


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Beam's service of that name; each worker is a process, and none outlives the pool."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def StartWorker(  # noqa: N802 (Beam's name)
        self, request: beam_fn_api_pb2.StartWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Starts a worker that connects to the job server by itself; asked again, tells if it has ended."""
        started = self._workers.get(request.worker_id)
        if started is not None and started.server == request.control_endpoint.url:
            status = started.process.returncode
            error = "" if status is None else f"it ended with exit code {status}"
            return beam_fn_api_pb2.StartWorkerResponse(error=error)
        environment = {
            **os.environ,
            "WORKER_ID": request.worker_id,
            "CONTROL_API_SERVICE_DESCRIPTOR": _written(request.control_endpoint),
            "LOGGING_API_SERVICE_DESCRIPTOR": _written(request.logging_endpoint),
        }
        try:
            worker = subprocess.Popen([sys.executable, "-m", "preprocessing.worker"], env=environment)
        except OSError as error:
            return beam_fn_api_pb2.StartWorkerResponse(error=str(error))
        self._workers[request.worker_id] = _Worker(request.control_endpoint.url, worker)
        # Waited for, so that it leaves no zombie and its exit code is known.
        threading.Thread(target=worker.wait, daemon=True).start()
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(  # noqa: N802 (Beam's name)
        self, request: beam_fn_api_pb2.StopWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Ends a worker, if it is still there."""
        worker = self._workers.pop(request.worker_id, None)
        if worker is not None:
            worker.process.terminate()
        return beam_fn_api_pb2.StopWorkerResponse()

    def stop(self) -> None:
        """Ends all workers."""
        processes = [worker.process for worker in self._workers.values()]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _written(endpoint: endpoints_pb2.ApiServiceDescriptor) -> str:
    return str(text_format.MessageToString(endpoint))


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    arguments = parser.parse_args()
    server, pool = grpc.server(shared_unbounded_instance()), WorkerPool()
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    port = server.add_insecure_port(f"[::]:{arguments.port}")
    server.start()
    run_until_ended(f"worker pool on port {port}")
    server.stop(0)
    pool.stop()


if __name__ == "__main__":
    main()
