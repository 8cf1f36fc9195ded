"""Whatever a body holds, it is answered, or refused with JSON that blames it, and the server lives on."""

import json

import hypothesis.strategies as st
import pytest
import requests
from hypothesis import HealthCheck, given, settings

MANY = settings(
    max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
TARGETS = st.sampled_from(
    [
        *("typed:predict", "typed/versions/7:predict", "typed/labels/x:predict", "nope:predict"),
        *("examples:classify", "examples:regress", "typed:regress"),
    ]
)
SIGNATURES = st.sampled_from(
    [
        *("serving_default", "echo_int64", "echo_string", "echo_bool", "echo_half", "three", "to_bytes"),
        *("uneven", "total", "no_inputs", "regress_x_to_y", "classify_x_to_y", "__saved_model_init_op"),
    ]
)
BASE64 = st.fixed_dictionaries({"b64": st.just("QQ==") | st.text(max_size=4)})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.text(max_size=4)
    | BASE64
)
NAMES = st.sampled_from(["x", "a", "b", "c", "name", "count", "b64", ""]) | st.text(max_size=2)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": SIGNATURES | LEAVES,
        "instances": st.lists(st.fixed_dictionaries({name: VALUES for name in "abc"}), max_size=3) | VALUES,
        "inputs": VALUES,
        "context": st.dictionaries(NAMES, VALUES, max_size=2) | VALUES,
        "examples": st.lists(st.dictionaries(NAMES, VALUES, max_size=2), max_size=3) | VALUES,
    },
)


@pytest.fixture(autouse=True)
def lives_on(post):
    yield
    assert post("typed:predict", {"inputs": [1, 2.5]}).json() == {"outputs": [1.0, 2.5]}


def check(response: requests.Response) -> None:
    """An answer is JSON, or an error whose status blames the request; never one that blames the server."""
    answer = json.loads(response.content.decode("utf-8", "replace"))
    if response.status_code != 200:
        assert response.status_code in (400, 404, 501), response.text
        assert [type(message) for message in answer.values()] == [str]
        assert list(answer) == ["error"]
        assert "Traceback" not in answer["error"]


@given(target=TARGETS, document=DOCUMENTS)
@MANY
def test_any_document(post, target, document):
    check(post(target, document))


@given(data=st.data(), signature=SIGNATURES, form=st.sampled_from(["instances", "inputs"]))
@MANY
def test_any_value(post, data, signature, form):
    shape = st.recursive(LEAVES, lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8)
    value = data.draw(st.lists(shape, min_size=1, max_size=4))
    check(post("typed:predict", {"signature_name": signature, form: value}))


@given(target=TARGETS, document=DOCUMENTS, data=st.data())
@MANY
def test_any_damage(post, target, document, data):
    body = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(body)))
        body[position : position + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    check(post(target, bytes(body)))


@given(target=TARGETS, body=st.binary(max_size=40))
@MANY
def test_any_bytes(post, target, body):
    check(post(target, body))


@pytest.mark.parametrize("depth", [60, 70, 300, 900, 1100, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"x": '])
@pytest.mark.parametrize("inner", [b"1", b"1, [2]", b'"a"', b"", b"NaN"])
def test_deep_nesting(post, depth, opening, inner):
    closing = b"]" if opening == b"[" else b"}"
    for form in (b"instances", b"inputs"):
        body = b'{"%s": %s}' % (form, opening * depth + inner + closing * depth)
        response = post("typed:predict", body)
        check(response)
        assert response.status_code == (
            200 if depth == 60 and opening == b"[" and inner in (b"1", b"NaN", b"") else 400
        )


@pytest.mark.parametrize("text", ["a", "é", "😀", "\\", '"', "\x00"])
def test_huge_strings(post, text):
    huge = text * 300_000
    response = post("typed:predict", {"signature_name": "echo_string", "inputs": huge})
    assert response.json() == {"outputs": huge}
    for document in (
        {"inputs": huge},
        {"signature_name": huge, "inputs": 1},
        {huge: 1},
        {"instances": [{huge: 1}]},
    ):
        response = post("typed:predict", document)
        check(response)
        assert response.status_code == 400


@pytest.mark.parametrize(
    "body", [b'{"inputs": "\xff"}', b'{"inputs\xc3": 1}', b"\xff", b'{"inputs": "\xed\xa0\x80"}']
)
def test_invalid_utf8(post, body):
    response = post("typed:predict", body)
    check(response)
    assert response.status_code == 400
    assert "Invalid encoding in string." in response.json()["error"]


@given(path=st.text(max_size=12), method=st.sampled_from(["GET", "POST", "PUT"]))
@MANY
def test_any_path(url, session, path, method):
    check(session.request(method, f"{url}/v1/models/{path}", data=b"{}", timeout=60))
