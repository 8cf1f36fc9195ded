"""What the serving room reports to its callers: a canonical status code and a sentence."""

from __future__ import annotations

import enum

_MESSAGE_LIMIT = (
    1024  # TensorFlow Serving's; over gRPC a status travels in a header, whose size is limited too
)


class Code(enum.IntEnum):
    """The canonical status codes, numbered as gRPC, TensorFlow and google.rpc number them."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(ValueError):
    """A request that cannot be answered or a server that cannot start; the message is meant for the user.

    Attributes:
        code: the canonical status; gRPC sends its number, REST its HTTP twin.
    """

    def __init__(self, message: str, code: Code = Code.INVALID_ARGUMENT):
        super().__init__(message)
        self.code = code


def shorten(message: str) -> str:
    """Cuts a message where TensorFlow Serving does, and replaces what UTF-8 cannot hold."""
    message = message.encode("utf-8", "replace").decode("utf-8")
    return message if len(message) <= _MESSAGE_LIMIT else message[:_MESSAGE_LIMIT] + "...TRUNCATED"
