"""Replays the requests that a version brings along, before it serves its first.

They stand in `assets.extra/tf_serving_warmup_requests`: TFRecords of `PredictionLog`.
"""

from __future__ import annotations

import logging
import posixpath
import time

import tensorflow as tf
from google.protobuf import message
from tensorflow.python.lib.io import _pywrap_record_io
from tensorflow_serving.apis import prediction_log_pb2

from serving import tensors
from serving.errors import Code, ServingError
from serving.inference import methods
from serving.models.runs import Run
from serving.models.saved_model import LoadedModel
from serving.monitoring.events import Events, WarmupDone

log = logging.getLogger(__name__)

_FILE = "assets.extra/tf_serving_warmup_requests"
_MAX_RECORDS = 1000  # TensorFlow Serving's


def replay(model: LoadedModel, folder: str, iterations: int, events: Events) -> None:
    """Lets a model answer the requests of its folder; none there is no error.

    Args:
        model: the model that was loaded from the folder.
        folder: the version's.
        iterations: how often each request is replayed.
        events: where a `WarmupDone` is told.

    Raises:
        ServingError: there are too many, one is broken, or one is not answered; the version must not serve.
    """
    path = posixpath.join(folder, _FILE)
    if not tf.io.gfile.exists(path):
        log.info("No warmup data file found at %s", path)
        return
    begun = time.monotonic()
    code = Code.OK
    try:
        count = _replay_file(model, path, iterations)
    except ServingError as error:
        code = error.code
        raise
    finally:
        events.tell(WarmupDone(folder, code, time.monotonic() - begun))
    log.info("Finished reading warmup data for model at %s. Number of warmup records read: %d", path, count)


def _replay_file(model: LoadedModel, path: str, iterations: int) -> int:
    count = 0
    try:
        for record in _pywrap_record_io.RecordIterator(path, ""):
            request = _parse(record, path)
            for _ in range(iterations):
                _answer(model, request)
            count += 1
            if count > _MAX_RECORDS:
                raise ServingError(f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {path}")
    except tf.errors.DataLossError as error:
        raise ServingError(
            f"{error.message}. Please verify your warmup data is in TFRecord format.", Code.DATA_LOSS
        ) from error
    except tf.errors.OpError as error:
        raise ServingError(error.message, Code(error.error_code)) from error
    return count


def _parse(record: bytes, path: str) -> prediction_log_pb2.PredictionLog:
    try:
        return prediction_log_pb2.PredictionLog.FromString(record)
    except message.DecodeError as error:
        raise ServingError(f"Failed to parse warmup record: {record!r} from {path}") from error


def _answer(model: LoadedModel, logged: prediction_log_pb2.PredictionLog) -> None:
    kind = logged.WhichOneof("log_type")
    if kind == "predict_log":
        methods.predict(model, logged.predict_log.request, tensors.write_fields, Run())
    elif kind == "classify_log":
        methods.classify(model, logged.classify_log.request, Run())
    elif kind == "regress_log":
        methods.regress(model, logged.regress_log.request, Run())
    elif kind == "multi_inference_log":
        methods.multi_inference(model, logged.multi_inference_log.request, Run())
    elif kind == "session_run_log":
        number = prediction_log_pb2.PredictionLog.DESCRIPTOR.fields_by_name[kind].number
        raise ServingError(f"Unsupported log_type for warmup: {number}", Code.UNIMPLEMENTED)
