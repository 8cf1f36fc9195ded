"""`:predict` as its callers see it; the texts of errors are TensorFlow Serving's."""

import base64
import json

import pytest

NAN, INFINITY = float("nan"), float("inf")


def signature(name, **document):
    return {"signature_name": name, **document}


def ok(response) -> dict:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    return response.json()


def error(response) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize(
    "target", ["typed:predict", "typed/versions/7:predict", "typed/labels/stable:predict"]
)
def test_the_url_names_model_and_version(post, target):
    assert ok(post(target, {"instances": [1.0, 2.5]})) == {"predictions": [1.0, 2.5]}


def test_answers_look_like_tensorflow_servings(post):
    assert post("typed:predict", {"instances": [1.0, 2.5]}).text == '{\n    "predictions": [1.0,2.5]\n}'
    response = post("typed:predict", {"inputs": "a"})
    assert response.text.startswith('{\n    "error": "')


@pytest.mark.parametrize("instance", [1.0, [1.0, 2.0], [[1.0], [2.0]], []])
def test_rows_of_a_single_input_need_no_name(post, instance):
    for document in ({"instances": [instance, instance]}, {"instances": [{"x": instance}, {"x": instance}]}):
        assert ok(post("typed:predict", document)) == {"predictions": [instance, instance]}


@pytest.mark.parametrize("value", [1.0, [1.0, 2.0], [[1.0], [2.0]], [], [[], []], [[[]]]])
def test_columns_of_a_single_input_need_no_name(post, value):
    for document in ({"inputs": value}, {"inputs": {"x": value}}):
        assert ok(post("typed:predict", document)) == {"outputs": value}


def test_rows_of_several_inputs_are_objects(post):
    rows = [{"a": 1.5, "b": "x", "c": 2**63 - 1}, {"a": -0.25, "b": "é", "c": -(2**63)}]
    assert ok(post("typed:predict", signature("three", instances=rows))) == {"predictions": rows}


def test_columns_of_several_inputs_are_an_object(post):
    columns = {"a": [[1.5, NAN]], "b": ["x", "y"], "c": 5}
    [(key, outputs)] = ok(post("typed:predict", signature("three", inputs=columns))).items()
    assert key == "outputs"
    assert str(outputs) == str(columns)  # as text, because NaN equals nothing


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("bool", [True, False]),
        ("float", [0.1, 1e-45, 3.4e38, -0.0, 16777215.0, 5.0]),
        ("double", [0.1, 5e-324, 1.7976931348623157e308, 9007199254740991.0, 1e23]),
        ("int8", [-128, 127]),
        ("uint8", [0, 255]),
        ("int16", [-(2**15), 2**15 - 1]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("uint32", [0, 2**32 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint64", [0, 2**64 - 1]),
        ("string", ["", "text", "é😀\u2028", '"\\\n\x00']),
    ],
)
def test_every_type_keeps_its_values(post, dtype, values):
    rows = ok(post("typed:predict", signature(f"echo_{dtype}", instances=values)))["predictions"]
    columns = ok(post("typed:predict", signature(f"echo_{dtype}", inputs=[values])))["outputs"]
    assert rows == columns[0] == values
    wanted = float if dtype in ("float", "double") else type(values[0])
    assert {type(value) for value in rows} == {wanted}


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_nan_and_infinity_stand_bare(post, dtype):
    response = post("typed:predict", signature(f"echo_{dtype}", instances=[NAN, INFINITY, -INFINITY, 0.1]))
    assert response.text == '{\n    "predictions": [NaN,Infinity,-Infinity,0.1]\n}'


def test_infinity_may_be_written_short(post):
    response = post("typed:predict", b'{"instances": [-NaN, Inf, -Inf, -Infinity]}')
    assert response.text == '{\n    "predictions": [NaN,Infinity,-Infinity,-Infinity]\n}'


def test_division_by_zero_answers_infinity(post):
    response = post("typed:predict", signature("divide", inputs=[1, -1]))
    assert ok(response) == {"outputs": [INFINITY, -INFINITY]}


def test_small_integers_wrap_as_tensorflow_wraps_them(post):
    assert ok(post("typed:predict", signature("echo_int8", instances=[300]))) == {"predictions": [44]}


def as_base64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def test_bytes_travel_in_base64(post):
    raw = [b"\xff\x00", b"", b"text"]
    rows = [as_base64(content) for content in raw]
    response = post("typed:predict", signature("to_bytes", instances=rows[2:]))
    assert ok(response) == {"predictions": [{"text": "text", "raw_bytes": rows[2]}]}
    response = post("typed:predict", signature("to_bytes", inputs=[[rows]]))
    assert response.content.count(b"\xff\x00".replace(b"\x00", b"\\u0000")) == 1  # the text, as it is
    assert json.loads(response.content.decode("latin-1"))["outputs"]["raw_bytes"] == [[rows]]
    assert ok(post("typed:predict", signature("echo_string", inputs=rows[2]))) == {"outputs": "text"}


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVsbG8", " aGVs\nbG8= "])
def test_base64_needs_neither_padding_nor_one_line(post, text):
    response = post("typed:predict", signature("echo_string", instances=[{"b64": text}]))
    assert ok(response) == {"predictions": ["hello"]}


def test_an_empty_batch_is_answered(post):
    assert ok(post("typed:predict", {"inputs": []})) == {"outputs": []}
    columns = {"a": [], "b": [[]], "c": []}
    assert ok(post("typed:predict", signature("three", inputs=columns))) == {"outputs": columns}


def test_an_output_without_rows_has_a_value_in_columns(post):
    assert ok(post("typed:predict", signature("total", inputs=[1, 2]))) == {"outputs": 3.0}


PROCESSING = "Failed to process element: "


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1], "JSON Value: [\n    1\n] Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        (
            {"instances": 1},
            "JSON Value: {\n    \"instances\": 1\n} Excepting 'instances' to be an list/array",
        ),
        ({"instances": []}, "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
        (
            {"instances": [1], "inputs": 1},
            'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": 1\n} '
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        (
            {"signature_name": 5, "inputs": 1},
            'JSON Value: {\n    "signature_name": 5,\n    "inputs": 1\n} '
            "not formatted correctly. 'signature_name' key must be a string value.",
        ),
        (signature("nope", inputs=1), 'Serving signature name: "nope" not found in signature def'),
        (signature("no_inputs", inputs=1), "Failed to get input map for signature: no_inputs"),
        (
            {"instances": [1, "a"]},
            f"{PROCESSING}1 of 'instances' list. Error: INVALID_ARGUMENT: "
            'JSON Value: "a" Type: String is not of expected type: float',
        ),
        (
            {"instances": [[1, 2], [3]]},
            f"{PROCESSING}1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting tensor size: 2 but got: 1",
        ),
        (
            {"instances": [[1, 2], [[1, 2]]]},
            f"{PROCESSING}1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [2] but got: [1,2]",
        ),
        (
            {"instances": [[[1, 2], [3]]]},
            f"{PROCESSING}0 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            {"instances": [[1, [2]]]},
            f"{PROCESSING}0 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            {"instances": [[[1], 2]]},
            f"{PROCESSING}0 of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            {"instances": [{"y": 1}]},
            f"{PROCESSING}0 key: y of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: y",
        ),
        ({"instances": [{"x": 1}, [1]]}, "Expecting object but got list at item 1 of input list"),
        ({"instances": [1, {"x": 1}]}, "Expecting value/list but got object at item 1 of input list"),
        (
            {"instances": [{}]},
            f"{PROCESSING}0 of 'instances' list. JSON object: {{}} must only have keys: x",
        ),
        (
            signature("three", instances=[{"a": 1, "b": "", "c": 1}, {"a": [1], "b": "", "c": 1}]),
            f"{PROCESSING}1 key: a of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting shape [] but got: [1]",
        ),
        (
            signature("three", instances=[1]),
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map",
        ),
        (
            signature("three", inputs=[1]),
            "inputs is a plain value/list, but expecting an object as multiple input tensors required "
            "as per tensorinfo_map",
        ),
        (signature("three", inputs={"a": 1}), "Missing named input: b in 'inputs' object."),
        ({"inputs": [1, True]}, "JSON Value: true Type: True is not of expected type: float"),
        ({"inputs": None}, "JSON Value: null Type: Null is not of expected type: float"),
        (
            {"inputs": {"b64": "QQ=="}},
            'JSON Value: {\n    "b64": "QQ=="\n} Type: Object is not of expected type: float',
        ),
        ({"inputs": 16777216}, "Cannot convert JSON value: 16777216 to float without loss of precision."),
        ({"inputs": -16777216}, "Cannot convert JSON value: -16777216 to float without loss of precision."),
        ({"inputs": 3.5e38}, "Cannot convert JSON value: 3.5e+38 to float without loss of precision."),
        (
            signature("echo_double", inputs=2**53),
            "Cannot convert JSON value: 9007199254740992 to double without loss of precision.",
        ),
        (
            signature("echo_int32", inputs=[2**31]),
            "JSON Value: 2147483648 Type: Number is not of expected type: int32",
        ),
        (signature("echo_int64", inputs=1.0), "JSON Value: 1.0 Type: Number is not of expected type: int64"),
        (signature("echo_uint64", inputs=-1), "JSON Value: -1 Type: Number is not of expected type: uint64"),
        (signature("echo_bool", inputs=1), "JSON Value: 1 Type: Number is not of expected type: bool"),
        (signature("echo_string", inputs=1), "JSON Value: 1 Type: Number is not of expected type: string"),
        (
            signature("echo_string", instances=[{"b64": "A"}]),
            f"{PROCESSING}0 of 'instances' list. Error: INVALID_ARGUMENT: Unable to base64 decode",
        ),
        (
            signature("echo_string", inputs=[{"b": "QQ=="}]),
            'JSON Value: {\n    "b": "QQ=="\n} not formatted correctly for base64 data',
        ),
        (
            signature("echo_string", inputs=[{"b64": "QQ==", "b": 1}]),
            'JSON Value: {\n    "b64": "QQ==",\n    "b": 1\n} not formatted correctly for base64 data',
        ),
        (signature("total", instances=[1, 2]), "Tensor name: total has no shape information "),
        (
            signature("uneven", instances=[1, 2]),
            "Tensor name: total has inconsistent batch size: 2 expecting: 1",
        ),
        (signature("no_rows", instances=[1, 2]), "Tensor name: none has invalid batch size: 0"),
        (signature("echo_half", inputs=[]), "Failed to write JSON value for tensor type: half"),
        ({"inputs": json.loads("[" * 70 + "]" * 70)}, "tensor parsing error: x"),
    ],
)
def test_what_cannot_be_answered_is_said_in_tensorflow_servings_words(post, document, message):
    assert error(post("typed:predict", document)) == (400, message)


@pytest.mark.parametrize("dtype", ["half", "complex64"])
def test_types_that_json_has_no_values_for_are_unimplemented(post, dtype):
    response = post("typed:predict", signature(f"echo_{dtype}", inputs=[1]))
    assert error(response) == (501, f"Conversion of JSON Value: 1 to type: {dtype}")


def test_an_error_in_the_graph_has_its_status_and_text(post):
    status, message = error(post("typed:predict", signature("to_number", inputs=["12", "no number"])))
    assert status == 400
    assert message.startswith("StringToNumberOp could not correctly convert string: no number")
    assert "Traceback" not in message


def test_an_error_that_quotes_bytes_that_are_no_text_is_one_all_the_same(post):
    status, message = error(post("typed:predict", signature("to_number", inputs=[as_base64(b"\xff")])))
    assert status == 400
    assert message.startswith("StringToNumberOp could not correctly convert string: \ufffd")


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("nope:predict", 404, "Servable not found for request: Latest(nope)"),
        ("typed/versions/3:predict", 404, "Servable not found for request: Specific(typed, 3)"),
        ("typed/labels/nope:predict", 400, "Unrecognized servable version label: nope"),
        ("typed:predict?x=1", 400, "Malformed request: POST /v1/models/typed:predict?x=1"),
        ("typed", 400, "Malformed request: POST /v1/models/typed"),
    ],
)
def test_a_model_that_is_not_there(post, target, status, message):
    assert error(post(target, {"instances": [1]})) == (status, message)


def test_a_message_quotes_no_more_than_can_be_read(post):
    status, message = error(post("typed:predict", {"inputs": "long" * 100_000}))
    assert status == 400
    assert message.startswith('JSON Value: "longlong')
    assert message.endswith("...TRUNCATED Type: String is not of expected type: float")
    assert len(message) < 1200
