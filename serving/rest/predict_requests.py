"""Reads the body of a `:predict` request, in row form (`instances`) or in columnar form (`inputs`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import ServingError
from serving.rest.documents import format_error
from serving.rest.values import mismatches
from serving.rest.values.base64_objects import is_base64
from serving.rest.values.json_writing import shown
from serving.rest.values.tensor_values import to_tensor, try_tensor

_ROWS, _COLUMNS = "instances", "inputs"

Inputs = Mapping[str, meta_graph_pb2.TensorInfo]
Tensors = dict[str, tensor_pb2.TensorProto]


def is_row_form(document: Mapping[str, Any]) -> bool:
    """Says which form a document has, which the answer then has too.

    Raises:
        ServingError: INVALID_ARGUMENT if it has neither, or both, or no instance.
    """
    if _ROWS not in document:
        if _COLUMNS not in document:
            raise ServingError("Missing 'inputs' or 'instances' key")
        return False
    if _COLUMNS in document:
        raise format_error(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    if not isinstance(document[_ROWS], list):
        raise format_error(document, "Excepting 'instances' to be an list/array")
    if not document[_ROWS]:
        raise format_error(document, "No values in 'instances' array")
    return True


def from_columns(document: Mapping[str, Any], inputs: Inputs) -> Tensors:
    """Makes a tensor of each input of a signature from a document in columnar form.

    Raises:
        ServingError: INVALID_ARGUMENT for missing inputs and values of wrong types or ragged shapes.
    """
    value = document[_COLUMNS]
    if not _is_plain_object(value):
        if len(inputs) > 1:
            raise ServingError(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map"
            )
        [(name, info)] = inputs.items()
        return {name: to_tensor(value, info.dtype)}
    tensors = {}
    for name in sorted(inputs):
        if name not in value:
            raise ServingError(f"Missing named input: {name} in 'inputs' object.")
        tensors[name] = to_tensor(value[name], inputs[name].dtype)
    return tensors


def from_rows(document: Mapping[str, Any], inputs: Inputs) -> Tensors:
    """Makes a tensor of each input of a signature from a document in row form.

    Raises:
        ServingError: INVALID_ARGUMENT for missing and unknown inputs, values of wrong types, and rows of
            different shapes.
    """
    rows = document[_ROWS]
    if not isinstance(rows[0], dict) and len(inputs) > 1:
        raise ServingError(
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map"
        )
    return _from_objects(rows, inputs) if _is_plain_object(rows[0]) else _from_values(rows, inputs)


def _from_values(rows: list[Any], inputs: Inputs) -> Tensors:
    name = min(inputs)
    tensor = try_tensor(rows, inputs[name].dtype)
    if tensor is None:
        raise _wrong_value(rows, inputs[name].dtype)
    return {name: tensor}


def _wrong_value(rows: list[Any], dtype: int) -> ServingError:
    wanted = mismatches.first_shape(rows[0])
    for index, row in enumerate(rows):
        if _is_plain_object(row):
            return ServingError(f"Expecting value/list but got object at item {index} of input list")
        problem = mismatches.in_row(row, wanted, dtype)
        if problem is not None:
            return _failed_element(f"{index}", problem)
    raise AssertionError("rows in which nothing is wrong are a tensor")


def _from_objects(rows: list[Any], inputs: Inputs) -> Tensors:
    names = inputs.keys()
    if all(isinstance(row, dict) and row.keys() == names for row in rows):
        columns = {name: [row[name] for row in rows] for name in inputs}
        tensors = {name: try_tensor(column, inputs[name].dtype) for name, column in columns.items()}
        if None not in tensors.values():
            return {name: tensor for name, tensor in tensors.items() if tensor is not None}
    raise _wrong_object(rows, inputs)


def _wrong_object(rows: list[Any], inputs: Inputs) -> ServingError:
    wanted: dict[str, tuple[int, ...]] = {}
    for index, row in enumerate(rows):
        if not _is_plain_object(row):
            return ServingError(f"Expecting object but got list at item {index} of input list")
        for name, value in row.items():
            problem = _wrong_member(name, value, inputs, wanted)
            if problem is not None:
                return _failed_element(f"{index} key: {name}", problem)
        if row.keys() != inputs.keys():
            return ServingError(
                f"Failed to process element: {index} of 'instances' list. JSON object: {shown(row)} "
                f"must only have keys: {','.join(sorted(inputs))}"
            )
    raise AssertionError("objects in which nothing is wrong are tensors")


def _wrong_member(
    name: str, value: Any, inputs: Inputs, wanted: dict[str, tuple[int, ...]]
) -> ServingError | None:
    """Compares a member of a row with the rows before it, whose shapes are noted in `wanted`."""
    if name not in inputs:
        return ServingError(f"JSON object: does not have named input: {name}")
    shape = wanted.setdefault(name, mismatches.first_shape(value))
    return mismatches.in_row(value, shape, inputs[name].dtype)


def _failed_element(label: str, problem: ServingError) -> ServingError:
    return ServingError(
        f"Failed to process element: {label} of 'instances' list. Error: {problem.code.name}: {problem}"
    )


def _is_plain_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)
