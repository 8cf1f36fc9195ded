"""Reads the body of a `:classify` or `:regress` request: Examples, and perhaps a context that all share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import input_pb2

from serving.errors import ServingError
from serving.rest.documents import format_error
from serving.rest.values import base64_objects, mismatches
from serving.rest.values.number_types import FLOATS

_CONTEXT, _EXAMPLES = "context", "examples"
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
_MAX_INT64 = 2**63 - 1


def to_input(document: Mapping[str, Any]) -> input_pb2.Input:
    """Makes the Examples of a document.

    Raises:
        ServingError: INVALID_ARGUMENT if there is none, or a feature is neither a value nor a list of
            values of one kind.
    """
    context = _example(document[_CONTEXT]) if _CONTEXT in document else None
    if _EXAMPLES not in document:
        raise format_error(document, "When method is classify, key 'examples' is expected and was not found")
    if not isinstance(document[_EXAMPLES], list):
        raise format_error(document, "Expecting 'examples' value to be an list/array")
    if not document[_EXAMPLES]:
        raise format_error(document, "'examples' value is an empty array")
    examples = [_example(value) for value in document[_EXAMPLES]]
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=examples))
    with_context = input_pb2.ExampleListWithContext(examples=examples, context=context)
    return input_pb2.Input(example_list_with_context=with_context)


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise ServingError(f"Example must be JSON object but got JSON {mismatches.type_name(value)}")
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)
    return example


def _add(feature: feature_pb2.Feature, name: str, item: Any) -> None:
    kind, value = _kind_of(name, item)
    chosen = feature.WhichOneof("kind")
    if chosen not in (None, kind):
        raise ServingError(
            f"Unexpected element type in feature: {name} expecting type: {_KINDS[chosen or kind]}"
        )
    getattr(feature, kind).value.append(value)


def _kind_of(name: str, item: Any) -> tuple[str, Any]:
    """Says which list of a feature an item belongs to, and as what."""
    if isinstance(item, bool):
        return "int64_list", int(item)
    if isinstance(item, str):
        return "bytes_list", item.encode()
    if isinstance(item, int):
        if item > _MAX_INT64:
            raise ServingError(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64_list", item
    if isinstance(item, float):
        return "float_list", _single(item)
    if base64_objects.is_base64(item):
        decoded = base64_objects.decode(item)
        if decoded is None:
            raise ServingError("Unable to base64 decode")
        return "bytes_list", decoded
    raise ServingError(f"Feature: {name} has element with unexpected JSON type: {mismatches.type_name(item)}")


def _single(number: float) -> float:
    if FLOATS[types_pb2.DT_FLOAT].largest < abs(number) < float("inf"):
        raise mismatches.lossy(number, "float")
    return number
