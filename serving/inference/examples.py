"""The `Input` of Classify, Regress and MultiInference: Examples, for a graph that parses them itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tensorflow_serving.apis import input_pb2

from serving.errors import ServingError
from serving.models import signatures
from serving.models.runs import Run
from serving.models.saved_model import LoadedModel


def run(
    model: LoadedModel,
    signature: signatures.Signature,
    fetches: Sequence[str],
    request_input: input_pb2.Input,
    run: Run,
) -> dict[str, np.ndarray]:
    """Feeds a request's Examples to a graph.

    Args:
        model: the model.
        signature: one whose only input is a vector of serialized Examples.
        fetches: the names of the graph's tensors to fetch.
        request_input: the Examples.
        run: of this request; the number of Examples is noted in it.

    Returns:
        What was fetched, by the tensors' names.

    Raises:
        ServingError: there are no Examples, or the graph says no.
    """
    array = _serialized(request_input)
    run.examples = array.size
    (tensor,) = signature.definition.inputs.values()
    signatures.check_dtype(0, tensor.dtype, array)
    # A tensor that two outputs name is fetched once, so that one order of names is one callable.
    wanted = tuple(sorted(set(fetches)))
    return dict(zip(wanted, model.run(((tensor.name,), wanted), [array], run), strict=True))


def _serialized(request_input: input_pb2.Input) -> np.ndarray:
    """Gives the serialized Examples; the context that all share stands before each."""
    context = b""
    if request_input.HasField("example_list_with_context"):
        listed = request_input.example_list_with_context
        context = listed.context.SerializeToString()
    else:
        listed = request_input.example_list
    if not listed.examples:
        raise ServingError("Input is empty.")
    array: np.ndarray = np.empty(len(listed.examples), dtype=object)
    array[:] = [context + example.SerializeToString() for example in listed.examples]
    return array
