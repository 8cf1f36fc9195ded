"""What a TFRecord Example of each part holds: written by preprocessing, parsed by the trainer.

| part | features |
| --- | --- |
| items | `index`, `id`, `display`, `text`, `tokens`, `count` (training interactions), `feature/<name>` |
| users | `index`, `id`, `text`, `tokens`, `history` (every known interaction), `feature/<name>` |
| train | `user`, `item`, `label`, `time`, `start` (where the window begins in the user's history) |
| validation, test | `user`, `history` (all items before the cut), `item`, `label`, `time` (the targets) |

Items and users are given by index, times in milliseconds since 1970, everything oldest first. A user's
`history` holds the held-out interactions too. `label` is empty when the data set has none, `time` when the
table has no time column.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from preprocessing.schema.schema import Entity, Part, Schema

BATCH = 1024


def _entity_features(entity: Entity) -> dict[str, Any]:
    features: dict[str, Any] = {
        "index": tf.io.FixedLenFeature([], tf.int64),
        "id": tf.io.FixedLenFeature([], tf.string),
    }
    if entity.text:
        features["text"] = tf.io.FixedLenFeature([], tf.string, default_value="")
        features["tokens"] = tf.io.RaggedFeature(tf.int64)
    for feature in entity.features:
        name = f"feature/{feature.name}"
        if feature.kind in ("numeric", "vector"):
            features[name] = tf.io.RaggedFeature(tf.float32)
        else:
            features[name] = tf.io.RaggedFeature(tf.int64)
    return features


def feature_spec(schema: Schema, part: Part) -> dict[str, Any]:
    """The `tf.io.parse_example` description of one part's Examples.

    A numeric or vector attribute that an entity lacks is an empty list, not a zero.
    """
    ints, floats = tf.io.RaggedFeature(tf.int64), tf.io.RaggedFeature(tf.float32)
    scalar = tf.io.FixedLenFeature([], tf.int64)
    if part == "items":
        display = tf.io.FixedLenFeature([], tf.string, default_value="")
        return _entity_features(schema.items) | {"count": scalar, "display": display}
    if part == "users":
        return _entity_features(schema.users) | {"history": ints}
    interactions = {"user": scalar, "item": ints, "label": floats, "time": ints}
    if part == "train":
        return interactions | {"start": scalar}
    return interactions | {"history": ints}


def read_batches(examples: Path, schema: Schema, part: Part) -> Iterator[dict[str, Any]]:
    """Parses one part in file order, `BATCH` Examples at a time.

    Yields:
      a dict of dense tensors `[B]` and ragged tensors `[B, None]`, by feature name.
    """
    files = [str(examples / name) for name in schema.files[part]]
    spec = feature_spec(schema, part)
    for batch in tf.data.TFRecordDataset(files).batch(BATCH):
        yield tf.io.parse_example(batch, spec)
