"""Turns what a service method raises into the gRPC status that TensorFlow Serving would answer."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from serving.errors import Code, ServingError

log = logging.getLogger(__name__)

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_MESSAGE_LIMIT = 1024  # TensorFlow Serving's; the status travels in a header, whose size is limited too

Method = TypeVar("Method", bound=Callable[..., Any])


def answers_status(method: Method) -> Method:
    """Decorates a method of a servicer: a `ServingError` becomes its status, anything else INTERNAL.

    The client never sees a stack trace; the server's log does.
    """

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except ServingError as error:
            code, message = error.code, str(error)
        except Exception:
            log.exception("%s failed", method.__name__)
            code, message = Code.INTERNAL, f"{method.__name__} failed; the server's log says why"
        return context.abort(_STATUS_CODES[code], shorten(message))

    return answer  # type: ignore[return-value]


def shorten(message: str) -> str:
    """Cuts a message where TensorFlow Serving does, and replaces what UTF-8 cannot hold."""
    message = message.encode("utf-8", "replace").decode("utf-8")
    return message if len(message) <= _MESSAGE_LIMIT else message[:_MESSAGE_LIMIT] + "...TRUNCATED"
