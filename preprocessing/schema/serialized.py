"""Writes `tf.train.Example` messages without TensorFlow, whose import takes seconds of each worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pool, message_factory, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto

Values = Sequence[int] | Sequence[float] | Sequence[bytes]

# As tensorflow/core/example/feature.proto and example.proto declare them.
_DECLARATION = """
name: "example.proto"
package: "tandem"
syntax: "proto3"
message_type {
  name: "BytesList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES }
}
message_type {
  name: "FloatList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT }
}
message_type {
  name: "Int64List"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 }
}
message_type {
  name: "Feature"
  field { name: "bytes_list" number: 1 type: TYPE_MESSAGE type_name: ".tandem.BytesList" oneof_index: 0 }
  field { name: "float_list" number: 2 type: TYPE_MESSAGE type_name: ".tandem.FloatList" oneof_index: 0 }
  field { name: "int64_list" number: 3 type: TYPE_MESSAGE type_name: ".tandem.Int64List" oneof_index: 0 }
  oneof_decl { name: "kind" }
}
message_type {
  name: "Features"
  field {
    name: "feature" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE
    type_name: ".tandem.Features.FeatureEntry"
  }
  nested_type {
    name: "FeatureEntry"
    field { name: "key" number: 1 type: TYPE_STRING }
    field { name: "value" number: 2 type: TYPE_MESSAGE type_name: ".tandem.Feature" }
    options { map_entry: true }
  }
}
message_type {
  name: "Example"
  field { name: "features" number: 1 type: TYPE_MESSAGE type_name: ".tandem.Features" }
}
"""


def _example_class() -> Any:
    """Makes the class of the messages in a pool of their own, so that TensorFlow's can stand beside it."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_DECLARATION, FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tandem.Example"))


_Example = _example_class()


def serialize(features: Mapping[str, Values]) -> bytes:
    """Serialises named lists of ints, floats or bytes into the same bytes every time.

    Protobuf maps have no fixed order, so each feature is put in by name order and the message is
    serialised deterministically.
    """
    example = _Example()
    for name in sorted(features):
        values = features[name]
        feature = example.features.feature[name]
        if not values:
            continue
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return example.SerializeToString(deterministic=True)
