"""Writes JSON as TensorFlow Serving does: NaN and Infinity stand bare, text is not escaped beyond need."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson

_SHOWN = 1024  # characters of a value that an error message quotes


def text(value: str) -> bytes:
    """Writes a string; halves of characters, which UTF-8 cannot hold, become question marks."""
    return orjson.dumps(value.encode("utf-8", "replace").decode("utf-8"))


def shown(value: Any) -> str:
    """Writes a parsed value for an error message, and only as much of it as a person would read."""
    chunks = json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value)
    start = "".join(itertools.islice((chunk[: _SHOWN + 1] for chunk in chunks), _SHOWN))
    return start if len(start) <= _SHOWN else start[:_SHOWN] + "...TRUNCATED"


def tensor(array: np.ndarray, *, as_base64: bool = False) -> bytes:
    """Writes a tensor as nested lists, or as a bare value if it has no dimension.

    Args:
        array: numbers, booleans or (object) bytes.
        as_base64: writes bytes as `{"b64": …}`, for outputs that hold no text.
    """
    if array.dtype == object:
        return _strings(array, as_base64)
    return _numbers(array)


def rows(array: np.ndarray, *, as_base64: bool = False) -> Sequence[bytes]:
    """Writes each row of a tensor, as `tensor` would."""
    if array.ndim == 1 and array.dtype != object:
        return _numbers(array)[1:-1].split(b",") if array.size else []
    return [tensor(np.asarray(row, array.dtype), as_base64=as_base64) for row in array]


def _numbers(array: np.ndarray) -> bytes:
    # orjson takes arrays, and scalars of numpy, but no array without a dimension.
    written = orjson.dumps(array if array.ndim else array[()], option=orjson.OPT_SERIALIZE_NUMPY)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return written
    # orjson writes null for what strict JSON has no word for; in an array of numbers nothing else is null.
    bare = iter(array[~np.isfinite(array)].tolist())
    return re.sub(rb"null", lambda _: json.dumps(next(bare)).encode(), written)


def _strings(array: np.ndarray, as_base64: bool) -> bytes:
    if as_base64:
        return orjson.dumps(_nested(array, _base64))
    try:
        return orjson.dumps(_nested(array, bytes.decode))
    except UnicodeDecodeError:
        # TensorFlow Serving hands on whatever bytes the model gave, be they UTF-8 or not.
        nested = _nested(array, lambda item: item.decode("utf-8", "surrogateescape"))
        return json.dumps(nested, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _nested(array: np.ndarray, convert: Callable[[bytes], Any]) -> Any:
    converted = np.empty(array.size, dtype=object)
    converted[:] = [convert(item) for item in array.ravel().tolist()]
    return converted.reshape(array.shape).tolist()


def _base64(item: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode("ascii")}
