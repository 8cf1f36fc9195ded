"""Joins the tensors of several requests into those of a batch, and takes the answers apart again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from serving.errors import Code, ServingError

# One request of a few bytes can hold a tensor so wide that its neighbours, padded, would take all memory.
_MAX_PADDED = 2**25

# The inputs or outputs of one request, in the order in which the graph is fed.
Arrays = Sequence[np.ndarray]


def rows(arrays: Arrays) -> int:
    """Counts a request's rows: the size that dimension 0 of all its inputs must share.

    Raises:
        ServingError: INVALID_ARGUMENT if they do not.
    """
    if not arrays:
        raise ServingError("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in arrays):
        raise ServingError("Batching Run() input tensors must have at least one dimension")
    sizes = {array.shape[0] for array in arrays}
    if len(sizes) > 1:
        raise ServingError("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def join(requests: Sequence[Arrays], padding: int) -> list[np.ndarray]:
    """Puts requests one below another, and below them the last row another `padding` times.

    Inputs of unequal inner shapes are padded at the end, see `_widen`.

    Raises:
        ServingError: they are too unequal for that.
    """
    joined = [_concatenate(_widen(parts)) for parts in zip(*requests, strict=True)]
    if padding:
        return [np.concatenate([array, np.repeat(array[-1:], padding, axis=0)]) for array in joined]
    return joined


def part(outputs: Arrays, sizes: Sequence[int], padding: int) -> list[list[np.ndarray]]:
    """Gives each request its rows of a batch's outputs.

    Raises:
        ServingError: FAILED_PRECONDITION if an output does not have a row for every row of the inputs.
    """
    total = sum(sizes)
    for output in outputs:
        if output.ndim == 0:
            raise ServingError("Batched output tensor has 0 dimensions", Code.FAILED_PRECONDITION)
        if output.shape[0] != total + padding:
            raise ServingError(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of "
                f"the input tensors. 0th dimension size: {output.shape[0]}; batch size: {total}; "
                f"padding size: {padding}",
                Code.FAILED_PRECONDITION,
            )
    parts, start = [], 0
    for size in sizes:
        parts.append([output[start : start + size] for output in outputs])
        start += size
    return parts


def _concatenate(parts: Arrays) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _widen(parts: Arrays) -> Arrays:
    """Pads inner dimensions at the end to the largest among the requests.

    Strings are padded with `""`, which Tandem's signatures skip; numbers with the tensor's first one, as in
    TensorFlow Serving, since a graph may take no other to be valid (an index, say).

    Raises:
        ServingError: RESOURCE_EXHAUSTED if that would be far more than was sent; they should run apart.
    """
    shapes = [part.shape[1:] for part in parts if part.shape[0]] or [parts[0].shape[1:]]
    inner = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    if all(part.shape[1:] == inner for part in parts):
        return parts
    if sum(part.shape[0] for part in parts) * math.prod(inner) > _MAX_PADDED:
        raise ServingError("Requests too unequal to be padded", Code.RESOURCE_EXHAUSTED)
    return [_padded(part, inner) for part in parts]


def _padded(array: np.ndarray, inner: tuple[int, ...]) -> np.ndarray:
    filling = b"" if array.dtype == object else array.flat[0] if array.size else 0
    wide: np.ndarray = np.full((array.shape[0], *inner), filling, dtype=array.dtype)
    if array.size:
        wide[tuple(slice(size) for size in array.shape)] = array
    return wide
