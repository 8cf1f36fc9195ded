"""Bytes in JSON: an object whose only key is `b64`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

_KEY = "b64"


def is_base64(value: Any) -> bool:
    """Says whether a JSON value stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_KEY), str)


def decode(value: dict[str, str]) -> bytes | None:
    """Gives the bytes; None if it is no base64. White space is passed over, padding may be left out."""
    text = "".join(value[_KEY].split())
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
