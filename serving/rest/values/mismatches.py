"""Says why a JSON value is not the tensor that a signature asks for, in TensorFlow Serving's words."""

from __future__ import annotations

import math
from typing import Any

from tensorflow.core.framework import types_pb2

from serving import tensors
from serving.errors import Code, ServingError
from serving.rest.values import base64_objects
from serving.rest.values.json_writing import shown
from serving.rest.values.number_types import FLOATS, INTEGERS

_TYPE_NAMES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def type_name(value: Any) -> str:
    """Names the JSON type of a parsed value."""
    return str(value) if isinstance(value, bool) else _TYPE_NAMES.get(type(value), "Null")


def in_value(value: Any, dtype: int) -> ServingError:
    """Finds the first thing in a value that keeps it from being a tensor of a type."""
    problem = _in_item(value, first_shape(value), 0, dtype)
    assert problem is not None, "a value in which nothing is wrong is a tensor"
    return problem


def in_row(row: Any, wanted: tuple[int, ...], dtype: int) -> ServingError | None:
    """Finds the first thing in a row that keeps it from being a tensor of a type and shape; None if it is."""
    shape = first_shape(row)
    return _in_item(row, shape, 0, dtype) or _other_shape(wanted, shape)


def first_shape(value: Any) -> tuple[int, ...]:
    """Gives the shape that the first elements of nested lists suggest."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _in_item(item: Any, shape: tuple[int, ...], level: int, dtype: int) -> ServingError | None:
    if not isinstance(item, list):
        return _misplaced(item, shape, level) or _in_leaf(item, dtype)
    if level >= len(shape):
        return ServingError(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(item) != shape[level]:
        return ServingError(
            f"Encountered list at unexpected size: {len(item)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    problems = (_in_item(each, shape, level + 1, dtype) for each in item)
    return next((problem for problem in problems if problem is not None), None)


def _misplaced(item: Any, shape: tuple[int, ...], level: int) -> ServingError | None:
    if level == len(shape):
        return None
    return ServingError(
        f"JSON Value: {shown(item)} found at incorrect level: {level + 1} in the JSON DOM. "
        f"Expected at level: {len(shape)}"
    )


def _other_shape(wanted: tuple[int, ...], given: tuple[int, ...]) -> ServingError | None:
    if math.prod(wanted) != math.prod(given):
        return ServingError(f"Expecting tensor size: {math.prod(wanted)} but got: {math.prod(given)}")
    if wanted != given:
        return ServingError(f"Expecting shape {_brackets(wanted)} but got: {_brackets(given)}")
    return None


def _in_leaf(leaf: Any, dtype: int) -> ServingError | None:
    if isinstance(leaf, dict):
        return _in_object(leaf, dtype)
    if dtype in FLOATS:
        return _in_float(leaf, dtype)
    if dtype in INTEGERS:
        limits = INTEGERS[dtype]
        fits = type(leaf) is int and limits.min <= leaf <= limits.max
    elif dtype in (types_pb2.DT_STRING, types_pb2.DT_BOOL):
        fits = type(leaf) is (str if dtype == types_pb2.DT_STRING else bool)
    else:
        return ServingError(
            f"Conversion of JSON Value: {shown(leaf)} to type: {tensors.dtype_name(dtype)}",
            Code.UNIMPLEMENTED,
        )
    return None if fits else _wrong_type(leaf, dtype)


def _in_object(leaf: dict[str, Any], dtype: int) -> ServingError | None:
    if dtype != types_pb2.DT_STRING:
        return _wrong_type(leaf, dtype)
    if not base64_objects.is_base64(leaf):
        return ServingError(f"JSON Value: {shown(leaf)} not formatted correctly for base64 data")
    return ServingError("Unable to base64 decode") if base64_objects.decode(leaf) is None else None


def _in_float(leaf: Any, dtype: int) -> ServingError | None:
    if type(leaf) not in (int, float):
        return _wrong_type(leaf, dtype)
    limits = FLOATS[dtype]
    largest = limits.largest_whole if isinstance(leaf, int) else limits.largest
    if isinstance(leaf, float) and not math.isfinite(leaf):
        return None
    return lossy(leaf, tensors.dtype_name(dtype)) if abs(leaf) > largest else None


def lossy(number: float, target: str) -> ServingError:
    """The error for a number that a type of floats cannot hold."""
    return ServingError(f"Cannot convert JSON value: {shown(number)} to {target} without loss of precision.")


def _wrong_type(leaf: Any, dtype: int) -> ServingError:
    return ServingError(
        f"JSON Value: {shown(leaf)} Type: {type_name(leaf)} "
        f"is not of expected type: {tensors.dtype_name(dtype)}"
    )


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
