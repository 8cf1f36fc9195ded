"""Makes tensors of JSON values, as strict about types as TensorFlow Serving.

The values of a tensor are checked all at once. Only when something is wrong they are walked through one by
one (`mismatches`), to say what it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.rest.values import base64_objects, mismatches
from serving.rest.values.dense import Dense, flatten
from serving.rest.values.number_types import FLOATS, INTEGERS


def to_tensor(value: Any, dtype: int) -> tensor_pb2.TensorProto:
    """Makes a tensor of nested lists, or of a bare value.

    Raises:
        ServingError: INVALID_ARGUMENT for ragged lists and wrong types, UNIMPLEMENTED for a type of tensor
            that JSON has no values for.
    """
    tensor = try_tensor(value, dtype)
    if tensor is None:
        raise mismatches.in_value(value, dtype)
    return tensor


def try_tensor(value: Any, dtype: int) -> tensor_pb2.TensorProto | None:
    """Makes a tensor of nested lists, or of a bare value; None if they are none of that type."""
    dense = flatten(value)
    if dense is None:
        return None
    tensor = tensor_pb2.TensorProto(dtype=dtype)
    for size in dense.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor if not dense.leaves or _fill(tensor, dense) else None


def _fill(tensor: tensor_pb2.TensorProto, dense: Dense) -> bool:
    if tensor.dtype == types_pb2.DT_STRING:
        strings = _strings(dense.leaves)
        tensor.string_val.extend(strings or ())
        return strings is not None
    numbers = _numbers(dense.leaves, tensor.dtype)
    if numbers is not None:
        tensor.tensor_content = numbers.astype(tf.as_dtype(tensor.dtype).as_numpy_dtype).tobytes()
    return numbers is not None


def _strings(leaves: list[Any]) -> list[bytes] | None:
    if set(map(type, leaves)) == {str}:
        return [leaf.encode() for leaf in leaves]
    strings = [leaf.encode() if isinstance(leaf, str) else _bytes(leaf) for leaf in leaves]
    return [string for string in strings if string is not None] if None not in strings else None


def _bytes(leaf: Any) -> bytes | None:
    return base64_objects.decode(leaf) if base64_objects.is_base64(leaf) else None


def _numbers(leaves: list[Any], dtype: int) -> np.ndarray | None:
    types = set(map(type, leaves))
    if dtype in FLOATS:
        return _floats(leaves, dtype) if types <= {int, float} else None
    if dtype in INTEGERS:
        return _integers(leaves, INTEGERS[dtype]) if types == {int} else None
    return np.array(leaves) if dtype == types_pb2.DT_BOOL and types == {bool} else None


def _floats(leaves: list[Any], dtype: int) -> np.ndarray | None:
    limits = FLOATS[dtype]
    array = np.array(leaves, np.float64)
    if (np.isfinite(array) & (np.abs(array) > limits.largest)).any():
        return None
    whole = [leaf for leaf in leaves if type(leaf) is int]
    if whole and max(max(whole), -min(whole)) > limits.largest_whole:
        return None
    return array


def _integers(leaves: list[Any], limits: np.iinfo) -> np.ndarray | None:
    return np.array(leaves, limits.dtype) if limits.min <= min(leaves) and max(leaves) <= limits.max else None
