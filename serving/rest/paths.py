"""Reads which call a request line means, as TensorFlow Serving reads it."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse

from tensorflow_serving.apis import model_pb2

from serving.errors import ServingError

_POST = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    r":(?P<verb>classify|regress|predict)",
    re.IGNORECASE,
)
_GET = re.compile(
    r"/v1/models(?:/(?P<name>[^/:]+))?(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<verb>/metadata)?",
    re.IGNORECASE,
)
_AUTHORITY = re.compile(r"^https?://[^/?]*", re.IGNORECASE)
_METHODS = {"POST": _POST, "GET": _GET}
_APIS = {
    "predict": "Predict",
    "classify": "Classify",
    "regress": "Regress",
    "/metadata": "GetModelMetadata",
}
_MAX_VERSION = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Call:
    """What a request line asks for.

    Attributes:
        api: `Predict`, `Classify`, `Regress`, `GetModelMetadata` or `GetModelStatus`.
        model_spec: the model's name, and a version or a label if one is given.
    """

    api: str
    model_spec: model_pb2.ModelSpec


def without_authority(target: str) -> str:
    """Gives path and query of a request's target, which proxies and some clients send with `http://host:port`."""
    return _AUTHORITY.sub("", target, count=1) or "/"


def parse(method: str, path: str) -> Call:
    """Finds the call that a request line means.

    Args:
        method: the HTTP method.
        path: path and query as they came, still percent-encoded. No call takes a query, so one makes the
            path another: that of a model with a question mark in its name, or none at all.

    Raises:
        ServingError: INVALID_ARGUMENT if it means none.
    """
    pattern = _METHODS.get(method)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise _malformed(method, path)
    if match["name"] is None:
        raise ServingError("Missing model name in request.")
    spec = model_pb2.ModelSpec(name=_unquote(match["name"]))
    if match["label"] is not None:
        spec.version_label = _unquote(match["label"])
    if match["version"] is not None:
        spec.version.value = _version(match["version"])
    return Call(_api(method, path, match["verb"]), spec)


def _api(method: str, path: str, verb: str | None) -> str:
    """Names the API; the verb alone is case-sensitive, and a miswritten `/metadata` asks for the status."""
    if method == "GET":
        return _APIS.get(verb or "", "GetModelStatus")
    if verb not in _APIS:
        raise _malformed(method, path)
    return _APIS[verb]


def _version(digits: str) -> int:
    # Longer numbers are not even converted: Python refuses those of thousands of digits in other words.
    if len(digits.lstrip("0")) > len(str(_MAX_VERSION)) or int(digits) > _MAX_VERSION:
        raise ServingError(f"Failed to convert version: {digits} to numeric.")
    return int(digits)


def _unquote(text: str) -> str:
    return urllib.parse.unquote(text, errors="replace").encode("utf-8", "replace").decode("utf-8")


def _malformed(method: str, path: str) -> ServingError:
    return ServingError(f"Malformed request: {method} {path}")
