"""Asks a server for its health, for containers: `python -m serving.deploy.health [HOST:PORT]`.

Ends with status 0 if it serves, and with 1 if it does not: it is loading, drains, or is not there.
"""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_SECONDS = 3.0


def serves(target: str) -> bool:
    """Tells whether the server at `host:port` serves, by gRPC's health protocol without TLS."""
    with grpc.insecure_channel(target) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS
            )
        except grpc.RpcError as error:
            print(f"{target}: {error.code().name}: {error.details()}", file=sys.stderr)
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


if __name__ == "__main__":
    sys.exit(0 if serves((sys.argv[1:] or ["localhost:8500"])[0]) else 1)
