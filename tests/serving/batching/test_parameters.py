"""Batching parameters are read and checked as TensorFlow Serving's server does."""

import pytest

from serving.batching.parameters import from_proto
from serving.errors import ServingError
from serving.settings import config_protos


def batching_proto(**values):
    proto = config_protos.BatchingParameters()
    for name, value in values.items():
        if name == "allowed_batch_sizes":
            proto.allowed_batch_sizes.extend(value)
        else:
            getattr(proto, name).value = value
    return proto


def test_parameters_left_out_have_tensorflow_servings_defaults():
    parameters = from_proto(config_protos.BatchingParameters())
    assert parameters.max_batch_size == parameters.execution_size == 1000
    assert (parameters.batch_timeout_s, parameters.max_enqueued_batches) == (0.0, 10)


def test_parameters_are_read():
    proto = batching_proto(max_batch_size=8, batch_timeout_micros=5000, allowed_batch_sizes=[2, 4])
    proto.enable_large_batch_splitting.value = True
    proto.max_execution_batch_size.value = 4
    parameters = from_proto(proto)
    assert (parameters.max_batch_size, parameters.execution_size) == (8, 4)
    assert parameters.batch_timeout_s == 0.005
    assert [parameters.padding(rows) for rows in (0, 1, 2, 3)] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be positive; was 0"),
        ({"num_batch_threads": 0}, "num_batch_threads must be positive; was 0"),
        ({"batch_timeout_micros": -1}, "batch_timeout_micros must be non-negative; was -1"),
        ({"max_enqueued_batches": -1}, "max_enqueued_batches must be non-negative; was -1"),
        (
            {"max_batch_size": 8, "allowed_batch_sizes": [2, 4]},
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        ),
        ({"max_batch_size": 4, "allowed_batch_sizes": [4, 2, 4]}, "monotonically increasing"),
    ],
)
def test_impossible_parameters_are_refused(values, message):
    with pytest.raises(ServingError, match=message):
        from_proto(batching_proto(**values))
