"""Serialised requests in a file; whoever only sends them need not load TensorFlow to know what they are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path


def write(payloads: Iterable[bytes], path: Path) -> None:
    """Writes serialised requests to a file."""
    encoded = [base64.b64encode(payload).decode() for payload in payloads]
    path.write_text(json.dumps(encoded), encoding="utf-8")


def read(path: Path) -> list[bytes]:
    """Reads what `write` wrote."""
    return [base64.b64decode(payload) for payload in json.loads(path.read_text(encoding="utf-8"))]
