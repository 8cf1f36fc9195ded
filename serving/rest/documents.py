"""What the bodies of all requests have in common: a JSON object, and perhaps the name of a signature."""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import model_pb2

from serving.errors import ServingError
from serving.rest.values import json_parsing
from serving.rest.values.json_writing import shown

_SIGNATURE = "signature_name"


def read(body: bytes, model_spec: model_pb2.ModelSpec) -> dict[str, Any]:
    """Parses a request's body and puts the signature that it names into the spec.

    Raises:
        ServingError: INVALID_ARGUMENT if it is no JSON object, or the name no string.
    """
    document = json_parsing.parse(body)
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")
    if _SIGNATURE in document:
        if not isinstance(document[_SIGNATURE], str):
            raise format_error(
                document, "not formatted correctly. 'signature_name' key must be a string value."
            )
        model_spec.signature_name = document[_SIGNATURE]
    return document


def format_error(document: Any, problem: str) -> ServingError:
    """The error for a document of the wrong form."""
    return ServingError(f"JSON Value: {shown(document)} {problem}")
