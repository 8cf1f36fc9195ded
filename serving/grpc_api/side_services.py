"""Health and reflection, whose streams may stay open for ever.

So they take no thread from requests, and no stop waits for them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

_HEALTH_THREADS = 4  # a check takes one for microseconds, and an open `Watch` takes none
_REFLECTION_THREADS = 64  # an open stream takes one; they are made when needed


class SideServices:
    """Health and reflection of a server.

    Args:
        server: they are added to it.
        services: the names of the services that the server is there for.
        pool: what reflection tells of.
    """

    def __init__(self, server: grpc.Server, services: Sequence[str], pool: descriptor_pool.DescriptorPool):
        self._names = ("", *services)
        self._streams = _Streams()
        self._health = _Health(self._streams)
        _use_threads(self._health, ("Check", "Watch"), _HEALTH_THREADS)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        told = _Reflection(names, pool, self._streams)
        _use_threads(told, ("ServerReflectionInfo",), _REFLECTION_THREADS)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(told, server)

    def start(self) -> None:
        """Says that the server serves."""
        for name in self._names:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def drain(self) -> None:
        """Says that the server serves no more."""
        self._health.enter_graceful_shutdown()

    def end_streams(self) -> None:
        """Ends the streams that are open, and those that come yet."""
        self._streams.end()


class _Streams:
    """The open streams, each by what ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Callable[[], object]] = set()
        self._ended = False

    def add(self, end: Callable[[], object]) -> None:
        with self._lock:
            self._open.add(end)
            if not self._ended:
                return
        self._end(end)

    def remove(self, end: Callable[[], object]) -> bool:
        """Forgets a stream; false if it was ended before."""
        with self._lock:
            known = end in self._open
            self._open.discard(end)
            return known

    def end(self) -> None:
        with self._lock:
            self._ended = True
            ends = list(self._open)
        for end in ends:
            self._end(end)

    def _end(self, end: Callable[[], object]) -> None:
        if self.remove(end):
            end()


class _Health(health.HealthServicer):
    def __init__(self, streams: _Streams):
        super().__init__(experimental_non_blocking=True)
        self._streams = streams

    def Watch(  # noqa: N802
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Callable[[Any], object],
    ) -> None:
        def end() -> None:
            send_response_callback(None)

        def send(response: health_pb2.HealthCheckResponse | None) -> None:
            if response is not None:
                send_response_callback(response)
            elif self._streams.remove(end):  # gRPC takes the end of a stream only once
                end()

        self._streams.add(end)
        super().Watch(request, context, send)


class _Reflection(reflection.ReflectionServicer):
    def __init__(self, names: Sequence[str], pool: descriptor_pool.DescriptorPool, streams: _Streams):
        super().__init__(names, pool)
        self._streams = streams

    def ServerReflectionInfo(  # noqa: N802
        self,
        request_iterator: Iterator[reflection_pb2.ServerReflectionRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[reflection_pb2.ServerReflectionResponse]:
        end = context.cancel
        self._streams.add(end)
        try:
            yield from super().ServerReflectionInfo(request_iterator, context)
        finally:
            self._streams.remove(end)


def _use_threads(servicer: Any, methods: Sequence[str], count: int) -> None:
    """Gives methods of a servicer threads of their own; for each server others, so not at the class."""
    pool = futures.ThreadPoolExecutor(count, "grpc_side")
    for name in methods:
        method = getattr(servicer, name)
        own: Any = functools.partial(method)
        own.experimental_thread_pool = pool
        own.experimental_non_blocking = getattr(method, "experimental_non_blocking", False)
        setattr(servicer, name, own)
