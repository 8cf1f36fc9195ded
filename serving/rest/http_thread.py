"""An HTTP server in a thread of its own, with an event loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from serving.errors import Code, ServingError
from serving.rest import responses

_BACKLOG = 1024
_MAX_LINE_BYTES = 2**20  # of the request line and of a header; TensorFlow Serving has no limit
_MAX_HEADERS = 2**11  # with that, a head is no larger than a body may be
_CLOSING_SECONDS = 0.1  # for requests that outlast the grace, before they are cancelled

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class _Connection(web.RequestHandler):
    """Says in JSON, as all other errors are said, what is no HTTP request."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        # What came is told to nobody: it may hold a secret, and it is no fault of the server.
        text = f"The request is no HTTP, or a line of its head is longer than {_MAX_LINE_BYTES} bytes"
        response = web.Response(status=status, body=responses.error(text), content_type="application/json")
        response.force_close()
        return response


class HttpThread:
    """Hands every HTTP request to a handler, which runs in the thread's event loop and must not block it.

    Args:
        handler: gives the response.
        listener: the socket that connections come in by; it is closed in the end.
    """

    def __init__(self, handler: Handler, listener: socket.socket):
        self._handler = handler
        self._in_flight: set[asyncio.Task[None]] = set()
        self._draining = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
        self._thread.start()
        accepting = asyncio.run_coroutine_threadsafe(self._accept(listener), self._loop)
        self._server, self._acceptor = accepting.result()

    def close(self, grace: float) -> None:
        """Takes no new connection, waits for the requests in flight, and cuts off what outlasts the grace."""
        asyncio.run_coroutine_threadsafe(self._drain(grace), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _accept(self, listener: socket.socket) -> tuple[web.Server, asyncio.AbstractServer]:
        # Bodies stay as they are sent: what is done about their encoding is the handler's to say.
        server = web.Server(self._respond)
        options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "max_line_size": _MAX_LINE_BYTES,
            "max_field_size": _MAX_LINE_BYTES,
            "max_headers": _MAX_HEADERS,
        }
        return server, await self._loop.create_server(
            lambda: _Connection(server, loop=self._loop, **options), sock=listener, backlog=_BACKLOG
        )

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        task = asyncio.current_task()
        assert task is not None, "aiohttp runs handlers in tasks"
        # The task ends when the response is sent, not when it is made.
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        response = await self._handler(request)
        if self._draining:
            response.force_close()
        return response

    async def _drain(self, grace: float) -> None:
        self._draining = True
        self._acceptor.close()
        self._server.pre_shutdown()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=grace)
        await self._server.shutdown(_CLOSING_SECONDS)
        # aiohttp loses sight of connections that broke in the middle of a body.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def listen(port: int) -> socket.socket:
    """Opens a port on every address of the machine, of IPv6 and IPv4 where there are both.

    Raises:
        ServingError: UNAVAILABLE if it is taken.
    """
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError:
        pass  # IPv6 may be known to the machine and switched off; if the port is taken, IPv4 will say so
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise ServingError(
            f"cannot listen at 0.0.0.0:{port}: the port is in use or not allowed; "
            "choose another with --rest_api_port",
            Code.UNAVAILABLE,
        ) from error
