"""Messages of TensorFlow Serving's config files that its pip package lacks.

The names and numbers of the fields are TensorFlow Serving's: `session_bundle_config.proto`,
`ssl_config.proto` and `monitoring_config.proto`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_Field: TypeAlias = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tensorflow.serving"
_INT64 = ".google.protobuf.Int64Value"
_STRING = ".google.protobuf.StringValue"
_BOOL = ".google.protobuf.BoolValue"


def _field(name: str, number: int, kind: int | str, repeated: bool = False) -> _Field:
    """Describes a field; a kind that is a string names a message."""
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if isinstance(kind, str):
        return _Field(name=name, number=number, label=label, type=_Field.TYPE_MESSAGE, type_name=kind)
    return _Field(name=name, number=number, label=label, type=kind)


def _file() -> descriptor_pb2.FileDescriptorProto:
    batching = descriptor_pb2.DescriptorProto(name="BatchingParameters")
    batching.field.extend(
        [
            _field("max_batch_size", 1, _INT64),
            _field("batch_timeout_micros", 2, _INT64),
            _field("max_enqueued_batches", 3, _INT64),
            _field("num_batch_threads", 4, _INT64),
            _field("thread_pool_name", 5, _STRING),
            _field("allowed_batch_sizes", 6, _Field.TYPE_INT64, repeated=True),
            _field("pad_variable_length_inputs", 7, _Field.TYPE_BOOL),
            _field("enable_large_batch_splitting", 8, _BOOL),
            _field("max_execution_batch_size", 9, _INT64),
        ]
    )
    ssl = descriptor_pb2.DescriptorProto(name="SSLConfig")
    ssl.field.extend(
        [
            _field("server_key", 1, _Field.TYPE_STRING),
            _field("server_cert", 2, _Field.TYPE_STRING),
            _field("custom_ca", 3, _Field.TYPE_STRING),
            _field("client_verify", 4, _Field.TYPE_BOOL),
        ]
    )
    prometheus = descriptor_pb2.DescriptorProto(name="PrometheusConfig")
    prometheus.field.extend([_field("enable", 1, _Field.TYPE_BOOL), _field("path", 2, _Field.TYPE_STRING)])
    monitoring = descriptor_pb2.DescriptorProto(name="MonitoringConfig")
    monitoring.field.append(_field("prometheus_config", 1, f".{_PACKAGE}.PrometheusConfig"))
    return descriptor_pb2.FileDescriptorProto(
        name="tandem/serving/configs.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
        message_type=[batching, ssl, prometheus, monitoring],
    )


def _messages() -> dict[str, Any]:
    # A pool of its own: should the pip package ever bring these messages, the two cannot collide.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(_file().SerializeToString())
    names = ("BatchingParameters", "SSLConfig", "MonitoringConfig")
    found = (pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in names)
    return {each.name: message_factory.GetMessageClass(each) for each in found}


_CLASSES = _messages()

BatchingParameters = _CLASSES["BatchingParameters"]
SSLConfig = _CLASSES["SSLConfig"]
MonitoringConfig = _CLASSES["MonitoringConfig"]
