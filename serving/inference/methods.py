"""What one loaded model answers: Predict, Classify, Regress and MultiInference, without their model spec.

`inference` finds the model for a request; a version's warm-up asks it directly.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from serving import tensors
from serving.errors import Code, ServingError
from serving.inference import classification, examples, regression
from serving.models import signatures
from serving.models.runs import Run
from serving.models.saved_model import LoadedModel

# Writes an array into an empty proto.
Write = Callable[[np.ndarray, tensor_pb2.TensorProto], None]


def predict(
    model: LoadedModel, request: predict_pb2.PredictRequest, write: Write, run: Run
) -> predict_pb2.PredictResponse:
    """Runs one signature on tensors.

    Raises:
        ServingError: it cannot be answered.
    """
    signature = model.signature(request.model_spec.signature_name)
    if model.checks_methods:
        signature.check_predicts()
    outputs = model.run_signature(signature, _decode(request.inputs), request.output_filter, run)
    response = predict_pb2.PredictResponse()
    for alias, output in outputs.items():
        write(output, response.outputs[alias])
    return response


def classify(
    model: LoadedModel, request: classification_pb2.ClassificationRequest, run: Run
) -> classification_pb2.ClassificationResult:
    """Classifies Examples.

    Raises:
        ServingError: it cannot be answered.
    """
    signature = _example_signature(model, request.model_spec.signature_name)
    fetches = classification.fetches(signature.definition, model.checks_methods)
    fetched = examples.run(model, signature, fetches, request.input, run)
    return classification.result(signature.definition, fetched, run.examples)


def regress(
    model: LoadedModel, request: regression_pb2.RegressionRequest, run: Run
) -> regression_pb2.RegressionResult:
    """Gives a value for each Example.

    Raises:
        ServingError: it cannot be answered.
    """
    signature = _example_signature(model, request.model_spec.signature_name)
    fetches = regression.fetches(signature.definition, model.checks_methods)
    fetched = examples.run(model, signature, fetches, request.input, run)
    return regression.result(signature.definition, fetched, run.examples)


def multi_inference(
    model: LoadedModel, request: inference_pb2.MultiInferenceRequest, run: Run
) -> Sequence[inference_pb2.InferenceResult]:
    """Classifies and regresses the same Examples in one run of the graph.

    Raises:
        ServingError: it cannot be answered.
    """
    found: list[signatures.Signature] = []
    fetches: list[str] = []
    for task, signature in zip(request.tasks, _task_signatures(model, request.tasks), strict=False):
        fetches.extend(_method(task).fetches(signature.definition, model.checks_methods))
        found.append(signature)
        if signature.feeds != found[0].feeds:
            raise ServingError("Input tensor must be the same for all Signatures.")
    fetched = examples.run(model, found[0], fetches, request.input, run)
    return [
        _task_result(task, signature, fetched, run.examples)
        for task, signature in zip(request.tasks, found, strict=True)
    ]


def _example_signature(model: LoadedModel, name: str) -> signatures.Signature:
    try:
        return model.signature(name)
    except ServingError as error:  # another code and other words than for Predict
        raise ServingError(
            f"No signature was found with the name: {name or signatures.DEFAULT_SIGNATURE}"
        ) from error


def _task_signatures(
    model: LoadedModel, tasks: Sequence[inference_pb2.InferenceTask]
) -> Iterator[signatures.Signature]:
    """Finds the signature of each task in turn; each may be asked once, and all of one model."""
    seen = set()
    for task in tasks:
        if not task.model_spec.name:
            raise ServingError("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise ServingError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or signatures.DEFAULT_SIGNATURE
        if name in seen:
            raise ServingError(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        try:
            yield model.signature(name)
        except ServingError as error:
            raise ServingError(f"Requested signature not found in model graph: {name}") from error


def _method(task: inference_pb2.InferenceTask) -> types.ModuleType:
    if task.method_name == signatures.CLASSIFY:
        return classification
    if task.method_name == signatures.REGRESS:
        return regression
    raise ServingError(f"Unsupported signature method_name: {task.method_name}", Code.UNIMPLEMENTED)


def _task_result(
    task: inference_pb2.InferenceTask,
    signature: signatures.Signature,
    fetched: Mapping[str, np.ndarray],
    count: int,
) -> inference_pb2.InferenceResult:
    answer = _method(task).result(signature.definition, fetched, count)
    if task.method_name == signatures.CLASSIFY:
        return inference_pb2.InferenceResult(classification_result=answer)
    return inference_pb2.InferenceResult(regression_result=answer)


def _decode(inputs: Mapping[str, tensor_pb2.TensorProto]) -> dict[str, np.ndarray]:
    arrays = {}
    for alias, proto in inputs.items():
        try:
            arrays[alias] = tensors.decode(proto)
        except tensors.TensorParsingError as error:
            raise ServingError(f"tensor parsing error: {alias}") from error
    return arrays
