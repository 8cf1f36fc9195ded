"""Between `TensorProto` and numpy, as TensorFlow's `Tensor::FromProto` and `Tensor::AsProtoField` do it."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

from serving.errors import ServingError

# Which repeated field carries a type, and the numpy type of what stands in it. Halves travel as the
# bits of an unsigned number, complex numbers as real and imaginary part in turn.
_FIELDS: dict[int, tuple[str, type]] = {
    types_pb2.DT_FLOAT: ("float_val", np.float32),
    types_pb2.DT_DOUBLE: ("double_val", np.float64),
    types_pb2.DT_INT32: ("int_val", np.int32),
    types_pb2.DT_INT16: ("int_val", np.int32),
    types_pb2.DT_INT8: ("int_val", np.int32),
    types_pb2.DT_UINT8: ("int_val", np.int32),
    types_pb2.DT_UINT16: ("int_val", np.int32),
    types_pb2.DT_INT64: ("int64_val", np.int64),
    types_pb2.DT_UINT32: ("uint32_val", np.uint32),
    types_pb2.DT_UINT64: ("uint64_val", np.uint64),
    types_pb2.DT_BOOL: ("bool_val", np.bool_),
    types_pb2.DT_HALF: ("half_val", np.int32),
    types_pb2.DT_BFLOAT16: ("half_val", np.int32),
    types_pb2.DT_COMPLEX64: ("scomplex_val", np.float32),
    types_pb2.DT_COMPLEX128: ("dcomplex_val", np.float64),
}
_BITS = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)
_COMPLEX = (types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128)

# A proto may give fewer values than its shape asks for (the last one is repeated), so a request of some
# bytes could ask for all memory. What is sent in full is bounded by gRPC's message size instead.
_MAX_FILLED_BYTES = 32 * 2**20
# A tensor without elements costs nothing, whatever its other dimensions. But a graph that makes another of
# them asks for all memory, or for more elements than can be counted, and then TensorFlow ends the process.
_MAX_EMPTY = 2**20
_MAX_RANK = 64  # numpy's; TensorFlow's is 254


class TensorParsingError(ValueError):
    """A proto that is no tensor: unknown type or shape, or content that does not fit the shape."""


def dtype_name(dtype: int) -> str:
    """Names a `DataType` as TensorFlow's messages do, such as `float`, `string`, `int64`."""
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def shape_name(shape: tuple[int, ...]) -> str:
    """Names a shape as TensorFlow's messages do, such as `[2,3]`."""
    return f"[{','.join(map(str, shape))}]"


def dtype_of(array: np.ndarray) -> int:
    """Finds the `DataType` of an array.

    Raises:
        ServingError: TensorFlow has no such type.
    """
    return _enum_of(array.dtype)


@functools.lru_cache(maxsize=256)
def _enum_of(dtype: np.dtype) -> int:
    try:
        return tf.as_dtype(dtype).as_datatype_enum
    except TypeError as error:
        raise ServingError(f"numpy type {dtype} is no TensorFlow type") from error


def to_array(value: Any) -> np.ndarray:
    """Makes a tensor's array of an array or nested lists, as TensorFlow would: strings become bytes.

    Python floats become float32 and Python integers int32, or int64 where they do not fit; arrays keep
    their type.

    Raises:
        ServingError: the value is ragged, or text that UTF-8 cannot hold.
    """
    try:
        array = np.asarray(value)
        if isinstance(value, (np.ndarray, np.generic)):
            return _string_array(array) if array.dtype.kind in "OSU" else array
        if array.dtype.kind in "OSU":
            # numpy's fixed-width strings drop trailing NULs, so they are taken from the value again.
            return _string_array(np.array(value, dtype=object))
        return _default_precision(array)
    except (ValueError, TypeError) as error:
        raise ServingError(f"not a tensor: {error}") from error


def _default_precision(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.int64 and np.array_equal(array.astype(np.int32), array):
        return array.astype(np.int32)
    return array


def _string_array(array: np.ndarray) -> np.ndarray:
    strings = np.empty(array.shape, dtype=object)
    for index, item in enumerate(array.flat):
        strings.flat[index] = _as_bytes(item)
    return strings


def _as_bytes(item: Any) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode("utf-8")
    raise TypeError(f"a string tensor holds strings, not {type(item).__name__}")


def write_fields(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Writes an array into the typed field of an empty proto (`float_val`, not `tensor_content`).

    Raises:
        ServingError: the type has no typed field (resources, variants, quantised types).
    """
    dtype = _write_header(array, proto)
    if dtype == types_pb2.DT_STRING:
        proto.string_val.extend(array.ravel().tolist())
        return
    field, stored = _FIELDS[dtype]
    flat = np.ascontiguousarray(array).ravel()
    if dtype in _BITS:
        flat = flat.view(np.uint16)
    elif dtype in _COMPLEX:
        flat = flat.view(stored)
    getattr(proto, field).extend(flat.tolist())


def write_content(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Writes an array into `tensor_content` of an empty proto: of strings, every length, then every string.

    Raises:
        ServingError: as `write_fields`.
    """
    if _write_header(array, proto) == types_pb2.DT_STRING:
        strings = array.ravel().tolist()
        proto.tensor_content = b"".join([*(_varint(len(string)) for string in strings), *strings])
    else:
        proto.tensor_content = array.tobytes()


def _write_header(array: np.ndarray, proto: tensor_pb2.TensorProto) -> int:
    dtype = dtype_of(array)
    if dtype != types_pb2.DT_STRING and dtype not in _FIELDS:
        raise ServingError(f"cannot send a tensor of type {dtype_name(dtype)}")
    proto.dtype = dtype
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return dtype


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Reads a tensor; where a typed field gives fewer values than the shape, the last one is repeated.

    Raises:
        TensorParsingError: where TensorFlow's own `Tensor::FromProto` fails.
    """
    shape = _shape(proto.tensor_shape)
    flat = _flat(proto, math.prod(shape))
    try:
        return flat.reshape(shape)
    except ValueError as error:  # an empty tensor with another dimension beyond what an array can have
        raise TensorParsingError(str(error)) from error


def _flat(proto: tensor_pb2.TensorProto, count: int) -> np.ndarray:
    if proto.dtype == types_pb2.DT_STRING:
        return _strings(proto, count)
    if proto.dtype not in _FIELDS:
        raise TensorParsingError(f"no tensor can be of type {proto.dtype}")
    dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    if not count:
        return np.empty(0, dtype)
    if proto.tensor_content:
        if len(proto.tensor_content) != count * dtype.itemsize:
            raise TensorParsingError(f"{len(proto.tensor_content)} bytes cannot be {count} elements")
        # A copy, because TensorFlow may keep the array's memory while the proto is gone.
        return np.frombuffer(proto.tensor_content, dtype=dtype).copy()
    field, stored = _FIELDS[proto.dtype]
    flat: np.ndarray = np.array(getattr(proto, field), dtype=stored)
    if proto.dtype in _BITS:
        flat = flat.astype(np.uint16).view(dtype)
    elif proto.dtype in _COMPLEX:
        flat = flat[: flat.size // 2 * 2].view(dtype)
    return _fill(flat.astype(dtype, copy=False), count)


def _shape(proto: tensor_shape_pb2.TensorShapeProto) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.dim)
    if proto.unknown_rank or len(shape) > _MAX_RANK or any(size < 0 for size in shape):
        raise TensorParsingError("the shape is not fully known")
    if 0 in shape and math.prod(size for size in shape if size) > _MAX_EMPTY:
        raise TensorParsingError(f"no tensor without elements may be as wide as {shape_name(shape)}")
    return shape


def _strings(proto: tensor_pb2.TensorProto, count: int) -> np.ndarray:
    content = proto.tensor_content if count else b""  # TensorFlow does not look at an empty tensor's
    values = _string_list(content, count) if content else list(proto.string_val)
    flat: np.ndarray = np.empty(len(values), dtype=object)
    flat[:] = values
    return _fill(flat, count)


def _string_list(content: bytes, count: int) -> list[bytes]:
    """Reads `tensor_content` of strings: every length as a varint, then every string's bytes."""
    if count > len(content):
        raise TensorParsingError("fewer lengths than strings")
    lengths, position = [], 0
    for _ in range(count):
        length, shift, byte = 0, 0, 0x80
        while byte & 0x80:
            if position >= len(content) or shift > 28:
                raise TensorParsingError("a string's length is cut off")
            byte = content[position]
            length |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise TensorParsingError("the lengths of the strings do not add up")
    values = []
    for length in lengths:
        values.append(content[position : position + length])
        position += length
    return values


def _fill(flat: np.ndarray, count: int) -> np.ndarray:
    """Gives the first `count` values, the last one repeated, or the type's zero where there is none."""
    if flat.size >= count:
        return flat[:count]
    if count * flat.itemsize > _MAX_FILLED_BYTES:
        raise TensorParsingError(f"{flat.size} values for {count} elements")
    zero = b"" if flat.dtype == object else np.zeros(1, flat.dtype)[0]
    filled = np.full(count, flat[-1] if flat.size else zero, dtype=flat.dtype)
    filled[: flat.size] = flat
    return filled
