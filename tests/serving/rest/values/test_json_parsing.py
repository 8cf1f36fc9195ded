"""What is JSON and what is not; the texts are RapidJSON's, which TensorFlow Serving hands on."""

import json
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serving.errors import ServingError
from serving.rest.values import json_parsing

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"instances = [1, 2]", "Invalid value. at offset: 0"),
        (b"[1, tru]", "Invalid value. at offset: 7"),
        (b"[1,]", "Invalid value. at offset: 3"),
        (b"[-]", "Invalid value. at offset: 2"),
        (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a":[1] "b":2}', "Missing a comma or } after an object member. at offset: 9"),
        (b'{"a":["}", 1 2]}', "Missing a comma or ] after an array element. at offset: 13"),
        (b"{} {}", "The document root must not be followed by other values. at offset: 3"),
        (b'{"a":"b', "Missing a closing quotation mark in string. at offset: 7"),
        (b'"\\x"', "Invalid escape character in string. at offset: 1"),
        (b'"\\u12g4"', "Incorrect hex digit after \\u escape in string. at offset: 1"),
        (b'"\\ud83d"', "The surrogate pair in string is invalid. at offset: 1"),
        (b'"\\ude00\\ud83d"', "The surrogate pair in string is invalid. at offset: 1"),
        (b'"a\\ud83d\\u0041"', "The surrogate pair in string is invalid. at offset: 2"),
        (b'"\xff"', "Invalid encoding in string. at offset: 1"),
        (b"[1.]", "Miss fraction part in number. at offset: 3"),
        (b"[1e+]", "Miss exponent in number. at offset: 4"),
        (b"[0.5e]", "Miss exponent in number. at offset: 5"),
        (b"[1e400]", "Number too big to be stored in double. at offset: 1"),
        (b"9" * 5000, "Number too big to be stored in double. at offset: 0"),
        ('{"é": tru}'.encode(), "Invalid value. at offset: 10"),
        (b"[" * 100_000, "Nested too deep."),
        (b'["Inf",Inf,-Inf, x]', "Invalid value. at offset: 17"),
        (b"[Inf Inf]", "Missing a comma or ] after an array element. at offset: 5"),
        (b"[Infi]", "Invalid value. at offset: 5"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(body, message):
    with pytest.raises(ServingError) as caught:
        json_parsing.parse(body)
    assert str(caught.value) == f"JSON Parse error: {message}"


def test_nan_and_infinity_are_numbers():
    nan, *infinities = json_parsing.parse(b"\xef\xbb\xbf[NaN, Infinity, -Infinity, 1, 0.5]")
    assert math.isnan(nan)
    assert infinities == [math.inf, -math.inf, 1, 0.5]


def test_infinity_may_be_short_and_either_have_a_minus():
    nan, *others = json_parsing.parse(b'[-NaN,Inf,-Inf,{"Inf":"-NaN, Inf, \\" Inf"},-Infinity]')
    assert math.isnan(nan)
    assert others == [math.inf, -math.inf, {"Inf": '-NaN, Inf, " Inf'}, -math.inf]


@pytest.mark.parametrize("also", ["1", "NaN"])
def test_whole_numbers_beyond_64_bits_are_floats(also):
    text = f"[{2**64 - 1}, {2**64}, {-(2**63)}, {-(2**63) - 1}, {10**25}, {also}]"
    numbers = json_parsing.parse(text.encode())[:-1]
    assert numbers == [2**64 - 1, 2.0**64, -(2**63), -(2.0**63), 1e25]
    assert [type(number) for number in numbers] == [int, float, int, float, float]


@given(JSON)
def test_whatever_python_writes_is_read(value):
    text = json.dumps(value).encode()
    assert json.dumps(json_parsing.parse(text)) == json.dumps(value)


@given(
    st.binary(max_size=30)
    | st.text(alphabet='[]{}",:\\u0123dDeE.+-ntfaNI \x00é', max_size=30).map(str.encode)
)
def test_any_bytes_are_read_or_refused(body):
    try:
        value = json_parsing.parse(body)
    except ServingError as error:
        assert str(error).startswith("JSON Parse error: ")
    else:
        json.dumps(value, ensure_ascii=False).encode()
