"""Turns what a method raises into the gRPC status that TensorFlow Serving would answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from serving.errors import Code, ServingError, shorten
from serving.monitoring.events import Events, RequestDone

log = logging.getLogger(__name__)

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}

Response = TypeVar("Response")


def answer(
    context: grpc.ServicerContext,
    events: Events,
    api: str,
    model_name: str,
    method: Callable[[], Response],
) -> Response:
    """Answers a request: a `ServingError` becomes its status, anything else INTERNAL.

    The client never sees a stack trace; the server's log does.

    Args:
        context: the call's.
        events: where a `RequestDone` is told.
        api: the method's name.
        model_name: the model that the request names.
        method: gives the response.
    """
    begun = time.monotonic()
    message = ""
    try:
        response = method()
        code = Code.OK
    except ServingError as error:
        code, message = error.code, str(error)
    except Exception:
        log.exception("%s failed", api)
        code, message = Code.INTERNAL, f"{api} failed; the server's log says why"
    events.tell(RequestDone(api, "GRPC", model_name, code, time.monotonic() - begun))
    if code != Code.OK:
        _abort(context, code, message)
    return response


def _abort(context: grpc.ServicerContext, code: Code, message: str) -> Any:
    return context.abort(_STATUS_CODES[code], shorten(message))
