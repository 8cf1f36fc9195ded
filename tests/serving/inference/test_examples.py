"""Classify, Regress and MultiInference on Examples, of TensorFlow 1 and 2 models."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

DEADLINE = 60
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class Native(tf.Module):
    """A classifier as TensorFlow 2 exports it: its method name is that of Predict."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs):
        parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"scores": parsed["x"] / 2.0}


@pytest.fixture(scope="module")
def predictions(serve, tf1_examples, publish, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("base")
    publish(tf1_examples, base_path, 3)
    server = serve(base_path, enable_signature_method_name_check=True)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def example(**features) -> tf.train.Example:
    lists = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=lists))


def examples(*xs, context=None) -> input_pb2.Input:
    listed = [example(x=x) for x in xs]
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=listed))
    with_context = input_pb2.ExampleListWithContext(examples=listed, context=context)
    return input_pb2.Input(example_list_with_context=with_context)


def classification(signature_name, request_input, name="default"):
    request = classification_pb2.ClassificationRequest(input=request_input)
    request.model_spec.name, request.model_spec.signature_name = name, signature_name
    return request


def regression(signature_name, request_input, name="default"):
    request = regression_pb2.RegressionRequest(input=request_input)
    request.model_spec.name, request.model_spec.signature_name = name, signature_name
    return request


def multi(request_input, *tasks, name="default"):
    request = inference_pb2.MultiInferenceRequest(input=request_input)
    for signature_name, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = name, signature_name
    return request


def values(result) -> list[float]:
    return [each.value for each in result.regressions]


def status_of(call, request) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=DEADLINE)
    return caught.value.code(), caught.value.details()


def test_regress_gives_a_value_for_each_example(predictions):
    response = predictions.Regress(regression("regress", examples(1.0, 2.0)), timeout=DEADLINE)
    assert values(response.result) == [2.5, 3.0]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("default", 3, "regress")


def test_a_context_joins_every_example(predictions):
    request = regression("regress", examples(1.0, 2.0, context=example(z=10.0)))
    assert values(predictions.Regress(request, timeout=DEADLINE).result) == [12.5, 13.0]


def test_classify_gives_labels_and_scores(predictions):
    response = predictions.Classify(classification("classify", examples(2.0, 4.0)), timeout=DEADLINE)
    assert [
        [(each.label, each.score) for each in row.classes] for row in response.result.classifications
    ] == [
        [("low", 3.0), ("high", 4.0)],
        [("low", 4.0), ("high", 5.0)],
    ]
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (3, "classify")


@pytest.mark.parametrize(
    ("signature", "classes"), [("only_scores", [("", 3.0)]), ("only_classes", [("low", 0.0), ("high", 0.0)])]
)
def test_a_classifier_may_give_one_of_both(predictions, signature, classes):
    response = predictions.Classify(classification(signature, examples(2.0)), timeout=DEADLINE)
    [row] = response.result.classifications
    assert [(each.label, each.score) for each in row.classes] == classes


def test_multi_inference_answers_all_tasks_of_the_same_examples(predictions):
    tasks = [("regress", "regress"), ("classify", "classify"), ("regress_more", "regress")]
    response = predictions.MultiInference(multi(examples(2.0), *tasks), timeout=DEADLINE)
    first, second, third = response.results
    assert (values(first.regression_result), values(third.regression_result)) == ([3.0], [4.0])
    assert [each.label for each in second.classification_result.classifications[0].classes] == ["low", "high"]
    assert [each.model_spec.signature_name for each in response.results] == [name for name, _ in tasks]
    assert {each.model_spec.version.value for each in response.results} == {3}


EMPTY = input_pb2.Input()
NO_METHOD = "Expected {} signature method_name to be tensorflow/serving/{}. Was: tensorflow/serving/{}"


@pytest.mark.parametrize(
    ("method", "request_", "code", "message"),
    [
        ("Classify", classification_pb2.ClassificationRequest(), INVALID, "Missing ModelSpec"),
        ("Regress", regression_pb2.RegressionRequest(), INVALID, "Missing ModelSpec"),
        ("Regress", regression("regress", EMPTY), INVALID, "Input is empty."),
        ("Classify", classification("classify", examples()), INVALID, "Input is empty."),
        (
            "Regress",
            regression("regress", examples(context=example(x=1.0))),
            INVALID,
            "Input is empty.",
        ),
        (
            "Classify",
            classification("nope", examples(1.0)),
            INVALID,
            "No signature was found with the name: nope",
        ),
        (
            "Classify",
            classification("", examples(1.0)),
            INVALID,
            NO_METHOD.format("classification", "classify", "predict"),
        ),
        (
            "Regress",
            regression("classify", examples(1.0)),
            INVALID,
            NO_METHOD.format("regression", "regress", "classify"),
        ),
        (
            "Regress",
            regression("regress", examples(1.0), name="x"),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(x)",
        ),
        (
            "Regress",
            regression("wrong_rows", examples(1.0, 2.0)),
            INVALID,
            "Input batch size did not match output batch size: 2 vs. 1",
        ),
        (
            "Regress",
            regression("wrong_shape", examples(1.0)),
            INVALID,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
        ),
        (
            "Regress",
            regression("wrong_type", examples(1.0)),
            INVALID,
            "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
        ),
        (
            "MultiInference",
            inference_pb2.MultiInferenceRequest(),
            INVALID,
            "ModelSpec has no name specified.",
        ),
        ("MultiInference", multi(EMPTY, ("regress", "regress")), INVALID, "Input is empty."),
        (
            "MultiInference",
            multi(examples(1.0), ("regress", "regress"), ("regress", "regress")),
            INVALID,
            "Duplicate evaluation of signature: regress",
        ),
        (
            "MultiInference",
            multi(examples(1.0), ("nope", "regress")),
            INVALID,
            "Requested signature not found in model graph: nope",
        ),
        (
            "MultiInference",
            multi(examples(1.0), ("", "predict")),
            grpc.StatusCode.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            "MultiInference",
            multi(examples(1.0), ("regress", "regress"), ("other_input", "regress")),
            INVALID,
            "Input tensor must be the same for all Signatures.",
        ),
    ],
)
def test_refuses_in_tensorflow_servings_words(predictions, method, request_, code, message):
    assert status_of(getattr(predictions, method), request_) == (code, message)


def test_tasks_of_two_models_are_refused(predictions):
    request = multi(examples(1.0), ("regress", "regress"))
    other = request.tasks.add(method_name="tensorflow/serving/regress")
    other.model_spec.name = "other"
    message = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
    assert status_of(predictions.MultiInference, request) == (INVALID, message)


def test_an_example_that_lacks_a_feature_is_the_graphs_error(predictions):
    listed = input_pb2.Input(example_list=input_pb2.ExampleList(examples=[tf.train.Example()]))
    code, message = status_of(predictions.Regress, regression("regress", listed))
    assert code == INVALID
    assert "Feature: x" in message


def test_native_classifiers_of_tensorflow_2_answer_unless_method_names_are_checked(serve, publish, tmp_path):
    module = Native()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": module.classify})
    publish(tmp_path / "model", tmp_path, 1)
    strict = serve(tmp_path, enable_signature_method_name_check=True)
    lenient = serve(tmp_path)
    request = classification("", examples(3.0))
    with grpc.insecure_channel(f"localhost:{strict.port}") as channel:
        code, message = status_of(
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Classify, request
        )
        assert (code, message) == (INVALID, NO_METHOD.format("classification", "classify", "predict"))
    with grpc.insecure_channel(f"localhost:{lenient.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Classify(request, timeout=DEADLINE)
    assert response.result.classifications[0].classes[0].score == 1.5
