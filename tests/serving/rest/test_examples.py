"""`:classify` and `:regress` on a TF1 model, as their callers see them."""

import base64

import pytest

NAN, INFINITY = float("nan"), float("inf")


def ok(response) -> dict:
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("target", ["examples:regress", "examples/versions/7:regress"])
def test_regress_gives_a_value_for_each_example(post, target):
    assert ok(post(target, {"examples": [{"x": 80.0}, {"x": [1.0]}]})) == {"results": [42.0, 2.5]}


def test_regress_writes_nan_and_infinity_bare(post):
    response = post("examples:regress", {"examples": [{"x": NAN}, {"x": -INFINITY}, {"x": 0.2}]})
    assert response.text == '{\n    "results": [NaN,-Infinity,2.1]\n}'


def test_classify_gives_label_and_score_of_each_class(post):
    document = {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0, "name": "é"}]}
    assert ok(post("examples:classify", document)) == {"results": [[["é", 12.0], ["12.0", -12.0]]]}


def test_a_class_without_label_has_an_empty_one(post):
    document = {"signature_name": "classify_scores", "examples": [{"x": 20.0}, {"x": 10.0}]}
    assert ok(post("examples:classify", document)) == {"results": [[["", 12.0]], [["", 7.0]]]}


def test_a_context_holds_for_all_examples(post):
    document = {
        "signature_name": "classify_x_to_y",
        "context": {"name": {"b64": base64.b64encode(b"shared").decode()}},
        "examples": [{"x": 20.0}, {"x": 10.0}],
    }
    results = ok(post("examples:classify", document))["results"]
    assert [classes[0][0] for classes in results] == ["shared", "shared"]


def test_whole_numbers_and_booleans_are_int64(post):
    document = {"signature_name": "regress_count", "examples": [{"x": 0.0, "count": [2**20, True, False]}]}
    assert ok(post("examples:regress", document)) == {"results": [2.0**20 + 1]}


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
        (
            {"examples": {}},
            "JSON Value: {\n    \"examples\": {}\n} Expecting 'examples' value to be an list/array",
        ),
        ({"examples": []}, "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
        ({"examples": [[]]}, "Example must be JSON object but got JSON Array"),
        ({"context": 5, "examples": [{}]}, "Example must be JSON object but got JSON Number"),
        (
            {"examples": [{"n": [10, None]}]},
            "Feature: n has element with unexpected JSON type: Null",
        ),
        ({"examples": [{"n": [[10]]}]}, "Feature: n has element with unexpected JSON type: Array"),
        ({"examples": [{"n": {"a": 1}}]}, "Feature: n has element with unexpected JSON type: Object"),
        ({"examples": [{"n": [10, 10.0]}]}, "Unexpected element type in feature: n expecting type: int64"),
        ({"examples": [{"n": ["a", 1]}]}, "Unexpected element type in feature: n expecting type: bytes"),
        ({"examples": [{"n": [0.5, "a"]}]}, "Unexpected element type in feature: n expecting type: float"),
        (
            {"examples": [{"n": 18446744073709551603}]},
            "Feature: n has uint64 element. Only int64 is supported.",
        ),
        (
            {"examples": [{"n": 1e300}]},
            "Cannot convert JSON value: 1e+300 to float without loss of precision.",
        ),
        ({"examples": [{"n": {"b64": "A"}}]}, "Unable to base64 decode"),
    ],
)
def test_what_are_no_examples_is_said_in_tensorflow_servings_words(post, verb, document, message):
    response = post(f"examples:{verb}", document)
    assert (response.status_code, response.json()) == (400, {"error": message})
