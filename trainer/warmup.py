"""Writes requests into an export that a server plays before it answers its first.

TensorFlow Serving's own format (https://www.tensorflow.org/tfx/serving/saved_model_warmup): the first call of
a signature sets its graph up, which no user should wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from preprocessing.schema import RESERVED, Entity, Schema

WARMUP_FILE = "tf_serving_warmup_requests"
BATCH_SIZES = (1, 16)
"""One caller alone, and what a server joins when there are many."""

LENGTH = 5
"""Items in a history; exclusions and candidates are as many."""


def write_warmup(extra: Path, ids: Sequence[str], schema: Schema, searchable: bool) -> None:
    """Writes requests for every signature into `assets.extra/`.

    Args:
      extra: that folder.
      ids: of the catalogue, the two reserved indices included.
      schema: of the examples.
      searchable: whether there is a signature `search`.
    """
    with tf.io.TFRecordWriter(str(extra / WARMUP_FILE)) as writer:
        for batch_size in BATCH_SIZES:
            requests = list(_requests(ids[RESERVED:], schema, batch_size))
            requests += _searches(batch_size) if searchable else ()
            for signature, inputs in requests:
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = signature
                for name, value in inputs.items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(value, tf.as_dtype(value.dtype)))
                writer.write(log.SerializeToString(deterministic=True))


def _requests(
    ids: Sequence[str], schema: Schema, batch_size: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    # Ids stand in falling order of count, so these items are popular ones, another for each row.
    rows = [[ids[(row + place) % len(ids)] for place in range(LENGTH)] for row in range(batch_size)]
    items = np.array(rows, object)
    nobody, none = np.full(batch_size, "", object), np.zeros((batch_size, 0), object)
    for history in (none, items):
        user = {"user_id": nobody, "history": history}
        yield "serving_default", user | {"exclude": none}
        yield "serving_default", user | {"exclude": items}
        yield "retrieve", user | {"exclude": none}
        yield "rank", user | {"candidate_id": items}
        yield "embed_user", user
        if schema.users.columns:
            yield "welcome", _cells(schema.users, batch_size) | {"history": history, "exclude": none}
    yield "similar", {"item_id": items[:, 0], "exclude": none}
    yield "describe", {"item_id": items[:, 0]}
    if schema.items.columns:
        yield "embed_item", _cells(schema.items, batch_size)


def _searches(batch_size: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    none = np.zeros((batch_size, 0), object)
    query = np.full(batch_size, "a few words, and some more, but nothing else", object)
    asked = {"query": query, "history": none, "exclude": none}
    yield "search", asked
    nobody, personal = np.full(batch_size, "", object), np.full(batch_size, 0.5, np.float32)
    yield "search_as", asked | {"user_id": nobody, "personal": personal}


def _cells(entity: Entity, batch_size: int) -> dict[str, np.ndarray]:
    """Raw columns with a few words where there is text, and nothing elsewhere."""
    texts = {column.name for column in entity.text.columns} if entity.text else set()
    return {
        name: np.full(batch_size, "a few words to read" if name in texts else "", object)
        for name in entity.columns
    }
