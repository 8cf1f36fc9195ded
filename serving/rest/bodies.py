"""Reads the body of a request, whole or not at all."""

from __future__ import annotations

import zlib

from aiohttp import HttpVersion11, web

from serving.errors import Code, ServingError

_MAX_BYTES = 2**31 - 1  # as gRPC's messages
_MAX_INFLATED_BYTES = 100 * 2**20  # as TensorFlow Serving


class BodyTooLargeError(ServingError):
    """A body that is not taken, whatever it holds."""

    def __init__(self, limit: int):
        super().__init__(f"The body is larger than {limit} bytes", Code.RESOURCE_EXHAUSTED)


async def read(request: web.BaseRequest) -> bytes:
    """Reads the body as it was sent.

    Raises:
        ServingError: it is too large, or cut off.
    """
    if (request.content_length or 0) > _MAX_BYTES:
        raise BodyTooLargeError(_MAX_BYTES)
    await _ask_for_it(request)
    chunks, size = [], 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > _MAX_BYTES:
                raise BodyTooLargeError(_MAX_BYTES)
            chunks.append(chunk)
    except ConnectionError as error:
        raise ServingError("The caller left before the body was whole", Code.CANCELLED) from error
    return b"".join(chunks)


async def _ask_for_it(request: web.BaseRequest) -> None:
    """Tells a caller who waits for that, as curl does with large bodies, to send the body."""
    if request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # nothing of the answer is written yet


def decompress(body: bytes, content_encoding: str) -> bytes:
    """Undoes gzip, the only encoding that TensorFlow Serving knows.

    Raises:
        ServingError: it is not gzip, or too large.
    """
    if "gzip" not in content_encoding:
        return body
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(body, _MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise ServingError(f"The body is not gzip, as its Content-Encoding says: {error}") from error
    if len(inflated) > _MAX_INFLATED_BYTES:
        raise BodyTooLargeError(_MAX_INFLATED_BYTES)
    if not inflater.eof:
        raise ServingError("The body is not gzip, as its Content-Encoding says: it is cut off")
    return inflated
