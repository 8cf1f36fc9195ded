"""What numbers of JSON each numeric type of tensor takes."""

from __future__ import annotations

import dataclasses

import numpy as np
from tensorflow.core.framework import types_pb2


@dataclasses.dataclass(frozen=True)
class FloatLimits:
    """What a type of floats takes: numbers up to `largest`, whole ones only up to `largest_whole`."""

    largest: float
    largest_whole: int


FLOATS: dict[int, FloatLimits] = {
    types_pb2.DT_FLOAT: FloatLimits(float(np.finfo(np.float32).max), 2**24 - 1),
    types_pb2.DT_DOUBLE: FloatLimits(float(np.finfo(np.float64).max), 2**53 - 1),
}

# TensorFlow Serving takes 32 bits for the smaller ones too, of which the tensor keeps the lowest.
INTEGERS: dict[int, np.iinfo] = {
    types_pb2.DT_INT8: np.iinfo(np.int32),
    types_pb2.DT_UINT8: np.iinfo(np.int32),
    types_pb2.DT_INT16: np.iinfo(np.int32),
    types_pb2.DT_INT32: np.iinfo(np.int32),
    types_pb2.DT_UINT32: np.iinfo(np.uint32),
    types_pb2.DT_INT64: np.iinfo(np.int64),
    types_pb2.DT_UINT64: np.iinfo(np.uint64),
}
