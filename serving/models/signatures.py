"""Matches a request against a SavedModel's signature, with TensorFlow Serving's checks and texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving import tensors
from serving.errors import Code, ServingError

DEFAULT_SIGNATURE = "serving_default"
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


class Signature:
    """One signature, taken apart once so that a request costs little.

    Attributes:
        definition: as the SavedModel holds it.
        feeds: the names of the graph's tensors to feed, in the order of the inputs' names.
    """

    def __init__(self, definition: meta_graph_pb2.SignatureDef):
        self.definition = definition
        self._aliases = tuple(sorted(definition.inputs))
        self._dtypes = tuple(definition.inputs[alias].dtype for alias in self._aliases)
        self.feeds = tuple(definition.inputs[alias].name for alias in self._aliases)
        self._fetches = {alias: definition.outputs[alias].name for alias in sorted(definition.outputs)}

    def check_predicts(self) -> None:
        """Insists on a method that Predict can run.

        Raises:
            ServingError: INTERNAL, as TensorFlow Serving has it, for a signature of another method.
        """
        if self.definition.method_name not in (PREDICT, CLASSIFY, REGRESS):
            raise ServingError(
                "Expected prediction signature method_name to be one of "
                f"{{{PREDICT}, {CLASSIFY}, {REGRESS}}}. Was: {self.definition.method_name}",
                Code.INTERNAL,
            )

    def bind(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Puts a request's tensors in the order of `feeds`, defaults included.

        Shapes are not compared with the signature: TensorFlow Serving leaves that to the graph.

        Raises:
            ServingError: INVALID_ARGUMENT for missing, unknown or wrongly typed inputs.
        """
        self._check_size(inputs)
        values = [self._value(inputs, alias) for alias in self._aliases]
        unknown = inputs.keys() - self.definition.inputs.keys()
        if unknown:
            raise ServingError(
                f"Inputs contains invalid name. Used request inputs: {_join(inputs.keys() - unknown)}, "
                f"request input: {_join(inputs)}"
            )
        for index, (wanted, value) in enumerate(zip(self._dtypes, values, strict=True)):
            check_dtype(index, wanted, value)
        return values

    def select(self, wanted: Sequence[str] | None) -> Mapping[str, str]:
        """Gives the tensors to fetch, by the outputs' names in sorted order; none wanted by name means all.

        Raises:
            ServingError: INVALID_ARGUMENT for a name that is unknown or stands twice.
        """
        if not wanted:
            return self._fetches
        for index, alias in enumerate(wanted):
            if alias not in self._fetches:
                raise ServingError(
                    f"output tensor alias not found in signature: {alias} "
                    f"Outputs expected to be in the set {{{_join(self._fetches)}}}."
                )
            if alias in wanted[:index]:
                raise ServingError(f"duplicate output tensor alias: {alias}")
        return {alias: self._fetches[alias] for alias in sorted(wanted)}

    def _check_size(self, inputs: Mapping[str, np.ndarray]) -> None:
        if len(inputs) == len(self._aliases):
            return
        if len(inputs) < len(self._aliases) and self.definition.defaults:
            return
        sent, required = set(inputs), set(self._aliases)
        raise ServingError(
            f"input size does not match signature: {len(sent)}!={len(required)} "
            f"len({{{_join(sent)}}}) != len({{{_join(required)}}}). "
            f"Sent extra: {{{_join(sent - required)}}}. Missing but required: {{{_join(required - sent)}}}."
        )

    def _value(self, inputs: Mapping[str, np.ndarray], alias: str) -> np.ndarray:
        if alias in inputs:
            return inputs[alias]
        defaults = self.definition.defaults
        if alias in defaults:
            return tensors.decode(defaults[alias])
        raise ServingError(
            f"Signature input alias: {alias}(feed name: {self.definition.inputs[alias].name}) not found in "
            "request and no default value provided. Inputs expected to be in the request "
            f"{{{_join(inputs)}}}, or default input alias set: {_join(defaults)}"
        )


def check_dtype(index: int, wanted: types_pb2.DataType, value: np.ndarray) -> None:
    """Insists on the type of what is fed, in the session's words.

    Raises:
        ServingError: INVALID_ARGUMENT for another type.
    """
    given = tensors.dtype_of(value)
    if wanted != given:
        raise ServingError(
            f"Expects arg[{index}] to be {tensors.dtype_name(wanted)} "
            f"but {tensors.dtype_name(given)} is provided"
        )


def _join(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
