import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving import tensors
from serving.errors import ServingError

NUMERIC = [
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.bool),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64),
]


def encoded(array):
    proto = tensor_pb2.TensorProto()
    tensors.write_fields(array, proto)
    return proto


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)], ids=str)
def test_typed_fields_round_trip_and_tensorflow_reads_them(dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype.as_numpy_dtype)
    proto = encoded(array)
    assert not proto.tensor_content
    for read in (tensors.decode(proto), tf.make_ndarray(proto)):
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda dtype: dtype.name)
def test_tensor_content_of_tensorflow_is_read(dtype):
    array = np.array([[0, 1], [2, 3]]).astype(dtype.as_numpy_dtype)
    np.testing.assert_array_equal(tensors.decode(tf.make_tensor_proto(array)), array)


def test_strings_are_bytes_of_any_content():
    array = np.array([[b"", b"a\x00"], [b"\xff\xfe", "ü".encode()]], dtype=object)
    proto = encoded(array)
    assert list(proto.string_val) == array.ravel().tolist()
    np.testing.assert_array_equal(tensors.decode(proto), array)


def proto_of(dtype, shape, **fields):
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@given(
    shape=st.lists(st.integers(0, 3), max_size=3),
    values=st.lists(st.integers(-300, 300), max_size=8),
    dtype=st.sampled_from([tf.int8, tf.uint16, tf.int32]),
)
@settings(max_examples=60, deadline=None)
def test_too_few_or_too_many_values_are_read_as_tensorflow_does(shape, values, dtype):
    proto = proto_of(dtype.as_datatype_enum, shape, int_val=values)
    theirs = tf.io.parse_tensor(proto.SerializeToString(), dtype).numpy()
    np.testing.assert_array_equal(tensors.decode(proto), theirs)


@given(content=st.binary(max_size=12) | st.just(b"\x01\x02abb"), size=st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_string_content_is_read_or_refused_as_tensorflow_does(content, size):
    proto = proto_of(types_pb2.DT_STRING, [size], tensor_content=content)
    try:
        theirs = tf.io.parse_tensor(proto.SerializeToString(), tf.string).numpy().tolist()
    except tf.errors.InvalidArgumentError:
        with pytest.raises(tensors.TensorParsingError):
            tensors.decode(proto)
    else:
        assert tensors.decode(proto).tolist() == theirs


@pytest.mark.parametrize(
    "proto",
    [
        proto_of(types_pb2.DT_INVALID, []),
        proto_of(types_pb2.DT_RESOURCE, []),
        proto_of(types_pb2.DT_FLOAT_REF, []),
        proto_of(999, []),
        proto_of(types_pb2.DT_FLOAT, [-1]),
        proto_of(types_pb2.DT_FLOAT, [1] * 65, float_val=[1]),
        proto_of(types_pb2.DT_FLOAT, [0, 2**62]),
        proto_of(types_pb2.DT_FLOAT, [2**40], float_val=[1]),
        proto_of(types_pb2.DT_STRING, [2**40], string_val=[b""]),
        proto_of(types_pb2.DT_FLOAT, [2], tensor_content=b"12345"),
    ],
)
def test_what_is_no_tensor_is_refused(proto):
    with pytest.raises(tensors.TensorParsingError):
        tensors.decode(proto)


@given(hnp.arrays(np.int64, hnp.array_shapes(max_dims=3)))
@settings(deadline=None)
def test_arrays_keep_their_type(array):
    assert tensors.to_array(array) is array


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, np.float32),
        ([1, 2], np.int32),
        ([1, 2**40], np.int64),
        ([-(2**63)], np.int64),
        ([True], np.bool_),
        ("ü", object),
        ([["a"], [b"b"]], object),
        (np.array(["a", "b"]), object),
    ],
)
def test_python_values_become_what_tensorflow_makes_of_them(value, dtype):
    array = tensors.to_array(value)
    assert array.dtype == dtype
    np.testing.assert_array_equal(tf.make_ndarray(tf.make_tensor_proto(value)), array)


def test_trailing_nul_bytes_stay():
    assert tensors.to_array([b"a\x00"]).tolist() == [b"a\x00"]


@pytest.mark.parametrize("value", [[[1], [1, 2]], ["a", 1, None], {1, 2}, "\ud800", object()])
def test_values_that_are_no_tensor_are_refused(value):
    with pytest.raises(ServingError, match="not a tensor"):
        tensors.to_array(value)


def test_a_type_that_tensorflow_lacks_is_refused():
    with pytest.raises(ServingError, match="datetime64"):
        encoded(np.array(["2024-01-01"], dtype="datetime64[D]"))


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda dtype: dtype.name)
def test_a_proto_without_values_is_zeros(dtype):
    shape = tf.TensorShape([2]).as_proto()
    read = tensors.decode(tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=shape))
    assert read.shape == (2,) and read.dtype == dtype.as_numpy_dtype
    np.testing.assert_array_equal(read, np.zeros(2, dtype.as_numpy_dtype))
