"""The floor of any server in Python over gRPC: `python -m benchmarks.serving_load.echo --help`.

It reads each request, as a server must, and answers a response that it was given, with the threads and the
gRPC options of `tandem serve`.
"""

from __future__ import annotations

import signal
from concurrent import futures
from pathlib import Path

import grpc
import typer
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving import machine
from serving.grpc_api import channel_arguments


class Echo(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers the same to everything."""

    def __init__(self, response: predict_pb2.PredictResponse):
        self._response = response

    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Gives the response, whatever is asked."""
        return self._response


def echo(response: Path) -> None:
    """Serves until SIGTERM, at a port that it prints as TensorFlow Serving does.

    Args:
      response: a file with a serialised PredictResponse.
    """
    server = grpc.server(futures.ThreadPoolExecutor(4 * machine.cpus()), options=channel_arguments.parse(""))
    servicer = Echo(predict_pb2.PredictResponse.FromString(response.read_bytes()))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("0.0.0.0:0")
    server.start()
    print(f"Running gRPC ModelServer at 0.0.0.0:{port} ...", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(None).wait()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    typer.run(echo)
