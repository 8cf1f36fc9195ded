"""TensorFlow Serving's REST API on a port: connections belong to one thread, requests to a pool of them."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent import futures

from aiohttp import web

from serving import machine
from serving.errors import Code, ServingError
from serving.models.manager import ModelManager
from serving.monitoring.events import RequestDone
from serving.monitoring.recorder import Recorder
from serving.rest import bodies, calls, paths, responses
from serving.rest.http_status import http_status
from serving.rest.http_thread import HttpThread, listen

log = logging.getLogger(__name__)

_API_PATH = "/v1/"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
}


class RestServer:
    """Serves the models of a manager over HTTP: `start`, then `stop`.

    Args:
        manager: the models.
        port: where to listen; 0 takes a free port.
        num_threads: requests worked on at once; 0 is four a CPU.
        timeout_ms: when to give up a request; 0 or less is never.
        prometheus_path: where to show metrics, such as `/monitoring/prometheus/metrics`; None is nowhere.
        cors: whether web pages of any origin may call.
    """

    def __init__(
        self,
        manager: ModelManager,
        port: int,
        num_threads: int = 0,
        timeout_ms: int = 30_000,
        prometheus_path: str | None = None,
        cors: bool = False,
    ):
        self._manager = manager
        self._port = port
        self._timeout_s = timeout_ms / 1000 if timeout_ms > 0 else None
        self._pool = futures.ThreadPoolExecutor(num_threads or 4 * machine.cpus(), "rest")
        self._prometheus_path = prometheus_path
        self._cors = cors
        self._recorder = Recorder()
        if prometheus_path is not None:
            manager.events.subscribe(self._recorder.record)
        self._http: HttpThread | None = None

    def start(self) -> int:
        """Listens and answers from now on.

        Returns:
            The port.

        Raises:
            ServingError: UNAVAILABLE if the port is taken.
        """
        listener = listen(self._port)
        port = listener.getsockname()[1]
        self._http = HttpThread(self._handle_cors if self._cors else self._handle, listener)
        return int(port)

    def stop(self, grace: float | None = None) -> None:
        """Refuses new connections and gives the requests in flight `grace` seconds."""
        if self._http is not None:
            self._http.close(grace or 0.0)
            self._http = None
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _handle_cors(self, request: web.BaseRequest) -> web.Response:
        """Answers what browsers ask before they let a page of another origin call, and the call itself."""
        if request.method == "OPTIONS":
            return web.Response(headers=_CORS)
        response = await self._handle(request)
        response.headers.update(_CORS)
        return response

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        target = paths.without_authority(request.raw_path)
        path = target.partition("?")[0]
        if self._prometheus_path is not None and path == self._prometheus_path:
            return self._metrics(target)
        if not path.lower().startswith(_API_PATH):
            message = f"There is nothing at {path}; models are under /v1/models/NAME"
            return _json(404, responses.error(message))
        return await self._answer(request, target)

    async def _answer(self, request: web.BaseRequest, target: str) -> web.Response:
        """Answers a call, or says why not, and tells the manager's events."""
        started = time.perf_counter()
        api, model_name = "", ""
        try:
            call = paths.parse(request.method, target)
            api, model_name = call.api, call.model_spec.name
            text = await self._work(call, await bodies.read(request), request)
            code, status = Code.OK, http_status(Code.OK)
        except ServingError as error:
            code, text = error.code, responses.error(str(error))
            status = 413 if isinstance(error, bodies.BodyTooLargeError) else http_status(code)
        except Exception:
            log.exception("%s %s failed", request.method, target)
            text = responses.error(f"{api or 'The request'} failed; the server's log says why")
            code, status = Code.INTERNAL, http_status(Code.INTERNAL)
        seconds = time.perf_counter() - started
        self._manager.events.tell(RequestDone(api, "REST", model_name, code, seconds))
        return _json(status, text)

    async def _work(self, call: paths.Call, body: bytes, request: web.BaseRequest) -> bytes:
        encoding = request.headers.get("Content-Encoding", "")
        answer = asyncio.get_running_loop().run_in_executor(
            self._pool, _answer, self._manager, call, body, encoding, self._timeout_s
        )
        try:
            return await asyncio.wait_for(answer, self._timeout_s)
        except asyncio.TimeoutError as error:
            raise ServingError("Timed out waiting for notification", Code.DEADLINE_EXCEEDED) from error

    def _metrics(self, target: str) -> web.Response:
        if target != self._prometheus_path:
            return web.Response(
                status=400, text=f"Unexpected path: {target}. Should be {self._prometheus_path}"
            )
        return web.Response(text=self._recorder.page())


def _answer(
    manager: ModelManager, call: paths.Call, body: bytes, content_encoding: str, timeout_s: float | None
) -> bytes:
    return calls.answer(manager, call, bodies.decompress(body, content_encoding), timeout_s)


def _json(status: int, text: bytes) -> web.Response:
    return web.Response(status=status, body=text, content_type="application/json")
