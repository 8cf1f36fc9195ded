"""Writes the answers of `inference` as the JSON that TensorFlow Serving answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from serving import tensors
from serving.errors import ServingError
from serving.rest.values import json_writing
from serving.rest.values.number_types import FLOATS, INTEGERS

_WRITABLE = {*FLOATS, *INTEGERS, types_pb2.DT_BOOL, types_pb2.DT_STRING}
_SIGNATURE_DEF = "signature_def"


def error(message: str) -> bytes:
    """Writes an error."""
    return _document("error", json_writing.text(message))


def predictions(response: predict_pb2.PredictResponse) -> bytes:
    """Writes outputs in row form: a value for each row, or an object if there are several outputs.

    Raises:
        ServingError: INVALID_ARGUMENT if the outputs have not one row each for every row of the others.
    """
    arrays = _arrays(response.outputs)
    size = _rows(arrays)
    if len(arrays) == 1:
        return _document("predictions", *_tensors(arrays))
    names = [json_writing.text(name) for name in arrays]
    columns = [json_writing.rows(array, as_base64=_holds_bytes(name)) for name, array in arrays.items()]
    objects = (_object(names, [column[row] for column in columns]) for row in range(size))
    return _document("predictions", _array(objects))


def outputs(response: predict_pb2.PredictResponse) -> bytes:
    """Writes outputs in columnar form: a tensor, or an object of tensors if there are several.

    Raises:
        ServingError: INVALID_ARGUMENT for tensors that JSON has no values for.
    """
    arrays = _arrays(response.outputs)
    if len(arrays) == 1:
        return _document("outputs", *_tensors(arrays))
    names = [json_writing.text(name) for name in arrays]
    return _document("outputs", _object(names, _tensors(arrays)))


def classifications(response: classification_pb2.ClassificationResponse) -> bytes:
    """Writes the label and score of each class for each Example.

    Raises:
        ServingError: INVALID_ARGUMENT if there is no Example.
    """
    if not response.result.classifications:
        raise ServingError("Cannot convert empty ClassificationResults to JSON")
    return _document("results", _array(_classes(each) for each in response.result.classifications))


def regressions(response: regression_pb2.RegressionResponse) -> bytes:
    """Writes the value for each Example.

    Raises:
        ServingError: INVALID_ARGUMENT if there is no Example.
    """
    values = [each.value for each in response.result.regressions]
    if not values:
        raise ServingError("Cannot convert empty RegressionResults to JSON")
    return _document("results", json_writing.tensor(np.array(values, np.float32)))


def status(response: get_model_status_pb2.GetModelStatusResponse) -> bytes:
    """Writes the state of each version."""
    return _message(response).encode() + b"\n"


def metadata(response: get_model_metadata_pb2.GetModelMetadataResponse) -> bytes:
    """Writes the signatures."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[_SIGNATURE_DEF].Unpack(signatures)
    return (
        f'{{\n"model_spec":{_message(response.model_spec)}\n,\n'
        f'"metadata": {{"{_SIGNATURE_DEF}": {_message(signatures)}\n}}\n}}\n'
    ).encode()


def _arrays(outputs: Mapping[str, tensor_pb2.TensorProto]) -> dict[str, np.ndarray]:
    if not outputs:
        raise ServingError("Cannot convert empty tensor map to JSON")
    for name in sorted(outputs):
        if outputs[name].dtype not in _WRITABLE:
            raise ServingError(
                f"Failed to write JSON value for tensor type: {tensors.dtype_name(outputs[name].dtype)}"
            )
    return {name: tensors.decode(outputs[name]) for name in sorted(outputs)}


def _tensors(arrays: Mapping[str, np.ndarray]) -> list[bytes]:
    return [json_writing.tensor(array, as_base64=_holds_bytes(name)) for name, array in arrays.items()]


def _holds_bytes(name: str) -> bool:
    """Says whether strings of an output are bytes rather than text, which its name alone can tell."""
    return name.endswith("_bytes")


def _rows(arrays: Mapping[str, np.ndarray]) -> int:
    """Counts the rows, of which every output must have the same number."""
    size: int | None = None
    for name, array in arrays.items():
        if not array.ndim:
            raise ServingError(f"Tensor name: {name} has no shape information ")
        if not len(array):
            raise ServingError(f"Tensor name: {name} has invalid batch size: 0")
        if size not in (None, len(array)):
            raise ServingError(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}"
            )
        size = len(array)
    return size or 0


def _classes(classifications: classification_pb2.Classifications) -> bytes:
    scores = json_writing.rows(np.array([each.score for each in classifications.classes], np.float32))
    labels = [json_writing.text(each.label) for each in classifications.classes]
    return _array(_array(pair) for pair in zip(labels, scores, strict=True))


def _message(message: Message) -> str:
    return json_format.MessageToJson(
        message,
        indent=1,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        ensure_ascii=False,
    )


def _document(key: str, value: bytes) -> bytes:
    return b'{\n    "%s": %s\n}' % (key.encode(), value)


def _array(values: Iterable[bytes]) -> bytes:
    return b"[%s]" % b", ".join(values)


def _object(names: Iterable[bytes], values: Iterable[bytes]) -> bytes:
    return b"{%s}" % b", ".join(b"%s: %s" % pair for pair in zip(names, values, strict=True))
