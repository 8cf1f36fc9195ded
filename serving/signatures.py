"""Matches a request against a SavedModel's signature, with TensorFlow Serving's checks and texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from serving import tensors
from serving.errors import Code, ServingError

DEFAULT_SIGNATURE = "serving_default"


def find(signatures: Mapping[str, meta_graph_pb2.SignatureDef], name: str) -> meta_graph_pb2.SignatureDef:
    """Finds a signature by its key.

    Raises:
        ServingError: FAILED_PRECONDITION if there is none of that name.
    """
    if name not in signatures:
        raise ServingError(f'Serving signature key "{name}" not found.', Code.FAILED_PRECONDITION)
    return signatures[name]


def bind_inputs(signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Puts a request's tensors in the order of the signature's input names, defaults included.

    Shapes are not compared with the signature: TensorFlow Serving leaves that to the graph.

    Raises:
        ServingError: INVALID_ARGUMENT for missing, unknown or wrongly typed inputs.
    """
    _check_size(signature, inputs)
    values = [_value(signature, inputs, alias) for alias in sorted(signature.inputs)]
    unknown = set(inputs) - set(signature.inputs)
    if unknown:
        used = set(inputs) - unknown
        raise ServingError(
            f"Inputs contains invalid name. Used request inputs: {_join(used)}, "
            f"request input: {_join(inputs)}"
        )
    for index, (alias, value) in enumerate(zip(sorted(signature.inputs), values, strict=True)):
        wanted, given = signature.inputs[alias].dtype, tensors.dtype_of(value)
        if wanted != given:
            raise ServingError(
                f"Expects arg[{index}] to be {tensors.dtype_name(wanted)} "
                f"but {tensors.dtype_name(given)} is provided"
            )
    return values


def _check_size(signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, np.ndarray]) -> None:
    if len(inputs) == len(signature.inputs):
        return
    if len(inputs) < len(signature.inputs) and signature.defaults:
        return
    sent, required = set(inputs), set(signature.inputs)
    raise ServingError(
        f"input size does not match signature: {len(sent)}!={len(required)} "
        f"len({{{_join(sent)}}}) != len({{{_join(required)}}}). "
        f"Sent extra: {{{_join(sent - required)}}}. Missing but required: {{{_join(required - sent)}}}."
    )


def _value(
    signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, np.ndarray], alias: str
) -> np.ndarray:
    if alias in inputs:
        return inputs[alias]
    if alias in signature.defaults:
        return tensors.decode(signature.defaults[alias])
    raise ServingError(
        f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and "
        f"no default value provided. Inputs expected to be in the request {{{_join(inputs)}}}, "
        f"or default input alias set: {_join(signature.defaults)}"
    )


def select_outputs(signature: meta_graph_pb2.SignatureDef, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Gives the names of the outputs to fetch, sorted; none wanted by name means all.

    Raises:
        ServingError: INVALID_ARGUMENT for a name that is unknown or stands twice.
    """
    if not wanted:
        return tuple(sorted(signature.outputs))
    for index, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise ServingError(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_join(signature.outputs)}}}."
            )
        if alias in wanted[:index]:
            raise ServingError(f"duplicate output tensor alias: {alias}")
    return tuple(sorted(wanted))


def _join(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
