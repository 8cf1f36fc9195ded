"""Requests that are joined and taken apart again are what they were."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as npst

from serving.batching import joining

DTYPES = st.sampled_from([np.float32, np.int64, np.bool_])


@st.composite
def requests(draw, ragged):
    """Several requests of two inputs each: numbers and strings, of equal or unequal inner shapes."""
    rank = draw(st.integers(1, 3))
    inner = st.tuples(*[st.integers(0, 3)] * (rank - 1))
    dtype, fixed = draw(DTYPES), draw(inner)
    made = []
    for _ in range(draw(st.integers(1, 4))):
        shape = (draw(st.integers(0, 3)), *(draw(inner) if ragged else fixed))
        strings = np.empty(shape, object)
        strings[...] = draw(st.binary(max_size=3))
        made.append([draw(npst.arrays(dtype, shape)), strings])
    return made


def sizes(several):
    return [request[0].shape[0] for request in several]


@given(several=requests(ragged=False), padding=st.integers(0, 3))
@settings(deadline=None)
def test_what_is_joined_is_parted_again(several, padding):
    padding = padding if sum(sizes(several)) else 0
    joined = joining.join(several, padding)
    assert {array.shape[0] for array in joined} == {sum(sizes(several)) + padding}
    for request, parts in zip(several, joining.part(joined, sizes(several), padding), strict=True):
        for array, part in zip(request, parts, strict=True):
            assert part.dtype == array.dtype
            np.testing.assert_array_equal(part, array)


@given(several=requests(ragged=True))
@settings(deadline=None)
def test_padding_stands_behind_what_was_sent(several):
    joined = joining.join(several, 0)
    for request, parts in zip(several, joining.part(joined, sizes(several), 0), strict=True):
        for array, part in zip(request, parts, strict=True):
            assert part.shape[0] == array.shape[0]
            if array.size:
                sent = part[tuple(slice(size) for size in array.shape)]
                np.testing.assert_array_equal(sent, array)
                padding = np.delete(part.ravel(), np.flatnonzero(_mask(part.shape, array.shape)))
                expected = b"" if array.dtype == object else array.flat[0]
                assert all(np.array_equal(each, expected, equal_nan=_is_float(array)) for each in padding)


def _mask(shape, inner):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(size) for size in inner)] = True
    return mask


def _is_float(array) -> bool:
    return array.dtype.kind == "f"
