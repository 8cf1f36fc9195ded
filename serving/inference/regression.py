"""Regress: signatures of the method `tensorflow/serving/regress`, with TensorFlow Serving's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import regression_pb2

from serving import tensors
from serving.errors import ServingError
from serving.models import signatures

_INPUTS, _OUTPUTS = "inputs", "outputs"


def fetches(definition: meta_graph_pb2.SignatureDef, check_method: bool) -> Sequence[str]:
    """Gives the tensors to fetch from a signature that regresses.

    Raises:
        ServingError: INVALID_ARGUMENT if it does not.
    """
    if check_method and definition.method_name != signatures.REGRESS:
        raise ServingError(
            f"Expected regression signature method_name to be {signatures.REGRESS}. "
            f"Was: {definition.method_name}"
        )
    if len(definition.inputs) != 1:
        raise ServingError("Expected one input Tensor.")
    if len(definition.outputs) != 1:
        raise ServingError("Expected one output Tensor.")
    if _INPUTS not in definition.inputs:
        raise ServingError(f"No regression inputs found in SignatureDef: {definition}")
    if _OUTPUTS not in definition.outputs:
        raise ServingError(f"No regression outputs found in SignatureDef: {definition}")
    return [definition.outputs[_OUTPUTS].name]


def result(
    definition: meta_graph_pb2.SignatureDef, fetched: Mapping[str, np.ndarray], examples: int
) -> regression_pb2.RegressionResult:
    """Makes the value of each Example of what was fetched.

    Raises:
        ServingError: INVALID_ARGUMENT if the tensor holds none.
    """
    output = fetched[definition.outputs[_OUTPUTS].name]
    if not (output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1)):
        raise ServingError(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{tensors.shape_name(output.shape)}"
        )
    if output.shape[0] != examples:
        raise ServingError(
            f"Input batch size did not match output batch size: {examples} vs. {output.shape[0]}"
        )
    dtype = tensors.dtype_of(output)
    if dtype != types_pb2.DT_FLOAT:
        raise ServingError(f"Expected output Tensor of DT_FLOAT.  Got: {types_pb2.DataType.Name(dtype)}")
    answer = regression_pb2.RegressionResult()
    for value in output.ravel().tolist():
        answer.regressions.add(value=value)
    return answer
