"""Runs the pipelines that are sent to it on the workers of pools."""

from __future__ import annotations

import argparse
import logging
from functools import partial
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.local_job_service import BeamJob, LocalJobServicer

from preprocessing.cluster.ending import run_until_ended
from preprocessing.cluster.handler import LOST, use_pools
from preprocessing.errors import WorkerLostError


class Job(BeamJob):
    """One pipeline on so many workers; Beam's own job takes one."""

    def __init__(self, *arguments: Any, workers: int) -> None:
        super().__init__(*arguments)
        self._workers = workers

    def _invoke_runner(self) -> Any:
        runner = FnApiRunner(provision_info=self._provision_info)
        options = self.pipeline_options()
        options.view_as(DirectOptions).direct_num_workers = self._workers
        runner._num_workers = self._workers  # which Beam reads from the options of its own pipelines alone
        self.set_state(beam_job_api_pb2.JobState.RUNNING)
        try:
            return runner.run_via_runner_api(self._pipeline_proto, options)
        except RuntimeError as error:
            if "Channel closed prematurely" in str(error):  # the loss, heard of from the other side
                raise WorkerLostError(LOST) from None
            raise


class JobServer(LocalJobServicer):
    """Beam's job service at an address that other machines reach."""

    def __init__(self, host: str, workers: int) -> None:
        super().__init__(beam_job_type=partial(Job, workers=workers))
        self._host = host

    def get_service_address(self) -> str:
        """The host that clients are told."""
        return self._host

    def get_bind_address(self) -> str:
        """Every interface."""
        return "[::]"


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="localhost", help="the name by which clients reach this machine")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--workers", type=int, required=True, help="worker processes of each pipeline")
    arguments = parser.parse_args()
    use_pools()
    server = JobServer(arguments.host, arguments.workers)
    run_until_ended(f"job server on port {server.start_grpc_server(arguments.port)}")
    server.stop(0)


if __name__ == "__main__":
    main()
