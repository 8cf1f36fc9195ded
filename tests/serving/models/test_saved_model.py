import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from serving.errors import Code, ServingError
from serving.models.saved_model import LoadedModel


@pytest.fixture(scope="module")
def model(half_plus_two):
    model = LoadedModel(half_plus_two, intra_op_parallelism=1, inter_op_parallelism=1)
    yield model
    model.close()


def refused(model, *arguments) -> ServingError:
    with pytest.raises(ServingError) as caught:
        model.predict(*arguments)
    return caught.value


def test_answers_the_default_signature(model):
    answer = model.predict("", {"x": [1.0, 2.0]})
    assert {name: y.tolist() for name, y in answer.items()} == {"y": [2.5, 3.0]}


def test_a_tf1_model_answers(tf1_half_plus_three):
    model = LoadedModel(tf1_half_plus_three)
    assert model.predict("serving_default", {"x": [2.0]})["y"].tolist() == [4.0]
    model.close()


def test_strings_and_tables_answer(tiny_tandem):
    model = LoadedModel(tiny_tandem)
    answer = model.predict("describe", {"item_id": ["50", "no such item"]})
    assert answer["title"].tolist() == [b"Star Wars (1977)", b""]
    model.close()


def test_scalars_are_arrays(model):
    answer = model.predict("scalars", {"x": 1.0})
    assert answer["number"].shape == answer["text"].shape == ()
    assert answer["number"].dtype == np.float32
    assert answer["text"].item().startswith(b"1.0")


def test_outputs_are_filtered(model):
    assert set(model.predict("two_outputs", {"x": 1.0})) == {"half", "same"}
    assert set(model.predict("two_outputs", {"x": 1.0}, ["same"])) == {"same"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nope", {}), Code.FAILED_PRECONDITION, 'Serving signature key "nope" not found.'),
        (
            ("serving_default", {}),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 0!=1 len({}) != len({x}). "
            "Sent extra: {}. Missing but required: {x}.",
        ),
        (
            ("serving_default", {"x": 1.0, "z": 1.0, "w": 1.0}),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 3!=1 len({w,x,z}) != len({x}). "
            "Sent extra: {w,z}. Missing but required: {}.",
        ),
        (
            ("serving_default", {"z": 1.0}),
            Code.INVALID_ARGUMENT,
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default "
            "value provided. Inputs expected to be in the request {z}, or default input alias set: ",
        ),
        (
            ("serving_default", {"x": "one"}),
            Code.INVALID_ARGUMENT,
            "Expects arg[0] to be float but string is provided",
        ),
        (
            ("two_inputs", {"a": 1.0, "b": np.array([1], np.int64)}),
            Code.INVALID_ARGUMENT,
            "Expects arg[1] to be string but int64 is provided",
        ),
        (
            ("two_outputs", {"x": 1.0}, ["same", "other"]),
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: other "
            "Outputs expected to be in the set {half,same}.",
        ),
        (
            ("two_outputs", {"x": 1.0}, ["same", "same"]),
            Code.INVALID_ARGUMENT,
            "duplicate output tensor alias: same",
        ),
    ],
)
def test_refuses_in_tensorflow_servings_words(model, arguments, code, message):
    error = refused(model, *arguments)
    assert (error.code, str(error)) == (code, message)


def test_an_error_in_the_graph_is_told_without_a_stack_trace(model):
    error = refused(model, "positive", {"x": [-1.0]})
    assert error.code == Code.INVALID_ARGUMENT
    assert "x must be positive" in str(error)
    assert "Traceback" not in str(error)
    assert 'File "' not in str(error)


def test_the_initialisation_signature_of_tf2_is_no_crash(tiny_tandem):
    model = LoadedModel(tiny_tandem)
    refused(model, "__saved_model_init_op", {})
    model.close()


def test_many_threads_call_at_once(model):
    def call(value: float) -> None:
        for _ in range(50):
            y = model.predict("serving_default", {"x": [value]})["y"]
            assert y.tolist() == [value / 2 + 2]

    with ThreadPoolExecutor(8) as pool:
        for called in [pool.submit(call, float(value)) for value in range(8)]:
            called.result()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ServingError, match=str(tmp_path / "nope")):
        LoadedModel(tmp_path / "nope")


def test_a_graph_that_is_none_is_refused(tmp_path, break_version):
    break_version(tmp_path, 1)
    with pytest.raises(ServingError, match="saved_model"):
        LoadedModel(tmp_path / "1")


def test_missing_variables_are_refused(tmp_path, half_plus_two):
    (tmp_path / "saved_model.pb").write_bytes((half_plus_two / "saved_model.pb").read_bytes())
    with pytest.raises(ServingError, match="variables"):
        LoadedModel(tmp_path)


def test_tags_that_no_graph_has_are_refused(half_plus_two):
    with pytest.raises(ServingError, match=r"matching supplied tags: \{ gpu serve \}") as caught:
        LoadedModel(half_plus_two, tags=("gpu", "serve"))
    assert caught.value.code == Code.NOT_FOUND


def save_with_custom_ops(path) -> None:
    import tensorflow_text
    from scann.scann_ops.py import scann_ops

    class Search(tf.Module):
        def __init__(self):
            super().__init__()
            vectors = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
            searcher = scann_ops.builder(vectors, 3, "dot_product").score_brute_force().build()
            self.index = searcher.serialize_to_module()

        @tf.function(input_signature=[tf.TensorSpec([None, 8], tf.float32, name="query")])
        def search(self, query):
            rows, scores = scann_ops.searcher_from_module(self.index).search_batched(query)
            return {"row": rows, "score": scores}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def tokens(self, texts):
            return {"length": tensorflow_text.WhitespaceTokenizer().tokenize(texts).row_lengths()}

    module = Search()
    signatures = {"serving_default": module.search, "tokens": module.tokens}
    tf.saved_model.save(module, str(path), signatures=signatures)


def test_scann_and_tokenizer_operations_are_imported_when_a_model_needs_them(tmp_path, half_plus_two):
    save_with_custom_ops(tmp_path / "model")
    program = """
import sys
import numpy as np
from serving.models.saved_model import LoadedModel

LoadedModel(sys.argv[1])
assert "scann" not in sys.modules and "tensorflow_text" not in sys.modules
model = LoadedModel(sys.argv[2])
assert "scann" in sys.modules and "tensorflow_text" in sys.modules
assert model.predict("tokens", {"text": ["a b c", ""]})["length"].tolist() == [3, 0]
assert model.predict("serving_default", {"query": np.ones((2, 8), np.float32)})["row"].shape == (2, 3)
"""
    command = [sys.executable, "-c", program, str(half_plus_two), str(tmp_path / "model")]
    subprocess.run(command, check=True)


def test_an_error_that_quotes_bytes_which_are_no_text_is_told(tmp_path):
    class Numbers(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def parse(self, text):
            return {"number": tf.strings.to_number(text)}

    module = Numbers()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.parse})
    model = LoadedModel(tmp_path)
    error = refused(model, "", {"text": [b"\xff"]})
    assert error.code == Code.INVALID_ARGUMENT
    assert "StringToNumberOp could not correctly convert string: \N{REPLACEMENT CHARACTER}" in str(error)
    model.close()


def test_a_new_version_is_made_ready_for_what_the_old_one_was_asked(half_plus_two):
    old, new = LoadedModel(half_plus_two), LoadedModel(half_plus_two)
    old.predict("two_outputs", {"x": 1.0}, ["half"])
    new.prepare([*old.calls, (("no such tensor:0",), ("nor this:0",))])
    assert new.calls == old.calls
    old.close()
    new.close()


def test_a_signature_of_another_method_is_refused(tiny_tandem):
    model = LoadedModel(tiny_tandem)
    with pytest.raises(
        ServingError, match="Expected prediction signature method_name to be one of"
    ) as caught:
        model.signature("__saved_model_init_op").check_predicts()
    assert caught.value.code == Code.INTERNAL
    model.close()
