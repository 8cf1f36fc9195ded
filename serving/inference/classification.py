"""Classify: signatures of the method `tensorflow/serving/classify`, with TensorFlow Serving's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2

from serving import tensors
from serving.errors import ServingError
from serving.models import signatures

_INPUTS, _CLASSES, _SCORES = "inputs", "classes", "scores"


def fetches(definition: meta_graph_pb2.SignatureDef, check_method: bool) -> Sequence[str]:
    """Gives the tensors to fetch from a signature that classifies.

    Raises:
        ServingError: INVALID_ARGUMENT if it does not.
    """
    if check_method and definition.method_name != signatures.CLASSIFY:
        raise ServingError(
            f"Expected classification signature method_name to be {signatures.CLASSIFY}. "
            f"Was: {definition.method_name}"
        )
    if len(definition.inputs) != 1:
        raise ServingError("Expected one input Tensor.")
    if len(definition.outputs) not in (1, 2):
        raise ServingError(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if _INPUTS not in definition.inputs:
        raise ServingError(f"No classification inputs found in SignatureDef: {definition}")
    found = [definition.outputs[name].name for name in (_CLASSES, _SCORES) if name in definition.outputs]
    if not found:
        raise ServingError(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or '
            f'"{_SCORES}". Signature was: {definition}'
        )
    return found


def result(
    definition: meta_graph_pb2.SignatureDef, fetched: Mapping[str, np.ndarray], examples: int
) -> classification_pb2.ClassificationResult:
    """Makes the classes of each Example of what was fetched.

    Raises:
        ServingError: INVALID_ARGUMENT if the tensors are none of classes or scores.
    """
    classes = _output(definition, fetched, _CLASSES, types_pb2.DT_STRING, examples)
    scores = _output(definition, fetched, _SCORES, types_pb2.DT_FLOAT, examples)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise ServingError(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    answer = classification_pb2.ClassificationResult()
    for row in range(examples):
        answer.classifications.add().classes.extend(_classes(row, classes, scores))
    return answer


def _classes(
    row: int, classes: np.ndarray | None, scores: np.ndarray | None
) -> list[classification_pb2.Class]:
    if classes is None:
        assert scores is not None
        return [classification_pb2.Class(score=score) for score in scores[row].tolist()]
    # A label is text in the proto, but only bytes in the graph; what is no UTF-8 cannot be sent.
    labels = [label.decode("utf-8", "replace") for label in classes[row]]
    if scores is None:
        return [classification_pb2.Class(label=label) for label in labels]
    return [
        classification_pb2.Class(label=label, score=score)
        for label, score in zip(labels, scores[row].tolist(), strict=True)
    ]


def _output(
    definition: meta_graph_pb2.SignatureDef,
    fetched: Mapping[str, np.ndarray],
    name: str,
    dtype: types_pb2.DataType,
    examples: int,
) -> np.ndarray | None:
    if name not in definition.outputs:
        return None
    output = fetched[definition.outputs[name].name]
    if output.ndim != 2:
        raise ServingError(
            f"Expected Tensor shape: [batch_size num_classes] but got {tensors.shape_name(output.shape)}"
        )
    given = tensors.dtype_of(output)
    if given != dtype:
        raise ServingError(
            f"Expected {name} Tensor of {types_pb2.DataType.Name(dtype)}. "
            f"Got: {types_pb2.DataType.Name(given)}"
        )
    if output.shape[0] != examples:
        raise ServingError(f"Expected {name} output batch size of {examples}. Got: {output.shape[0]}")
    return output
