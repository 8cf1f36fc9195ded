"""Which request lines mean which calls; the texts are TensorFlow Serving's."""

import pytest
from tensorflow_serving.apis import model_pb2

from serving.errors import Code, ServingError
from serving.rest import paths
from serving.rest.paths import Call

RESERVED = "%21%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D"


def spec(name, version=None, label=None):
    made = model_pb2.ModelSpec(name=name)
    if version is not None:
        made.version.value = version
    if label is not None:
        made.version_label = label
    return made


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", "/v1/models/m:predict", Call("Predict", spec("m"))),
        ("POST", "/v1/models/m:classify", Call("Classify", spec("m"))),
        ("POST", "/v1/models/m/versions/99:regress", Call("Regress", spec("m", version=99))),
        ("POST", "/v1/models/m/versions/0099:regress", Call("Regress", spec("m", version=99))),
        ("POST", "/V1/Models/M/Labels/stable:predict", Call("Predict", spec("M", label="stable"))),
        ("POST", f"/v1/models/m{RESERVED}:predict", Call("Predict", spec("m!#$%&'()*+,/:;=?@[]"))),
        (
            "POST",
            f"/v1/models/m/labels/{RESERVED}:predict",
            Call("Predict", spec("m", label="!#$%&'()*+,/:;=?@[]")),
        ),
        ("GET", "/v1/models/m", Call("GetModelStatus", spec("m"))),
        ("GET", "/v1/models/m/versions/9", Call("GetModelStatus", spec("m", version=9))),
        ("GET", "/v1/models/m/labels/l/metadata", Call("GetModelMetadata", spec("m", label="l"))),
        ("GET", "/v1/models/m/metadata", Call("GetModelMetadata", spec("m"))),
        ("GET", "/v1/models/m/METADATA", Call("GetModelStatus", spec("m"))),
        ("GET", "/v1/models/m?x=1", Call("GetModelStatus", spec("m?x=1"))),
        ("GET", "/v1/models/%E9t%C3%A9", Call("GetModelStatus", spec("\ufffdté"))),
    ],
)
def test_what_means_a_call(method, path, call):
    assert paths.parse(method, path) == call


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/foo"),
        ("POST", "/v1/models"),
        ("POST", "/v1/models/foo"),
        ("POST", "/v1/models/foo/metadata"),
        ("POST", "/v1/models/foo:PREDICT"),
        ("POST", "/v1/models/foo:predict?x=1"),
        ("POST", "/v1/models/foo:multi_inference"),
        ("POST", "/v1/models/foo/version/50:predict"),
        ("POST", "/v1/models/foo/versions/HELLO:regress"),
        ("POST", "/v1/models/foo/versions/٣:regress"),
        ("POST", "/v1/models/foo/versions/50/labels/some_label:regress"),
        ("GET", "/v1/foo"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/foo:predict"),
        ("PUT", "/v1/models/foo:predict"),
        ("DELETE", "/v1/models/foo"),
        ("OPTIONS", "/v1/models/foo"),
    ],
)
def test_what_means_none(method, path):
    with pytest.raises(ServingError) as caught:
        paths.parse(method, path)
    assert (str(caught.value), caught.value.code) == (
        f"Malformed request: {method} {path}",
        Code.INVALID_ARGUMENT,
    )


@pytest.mark.parametrize("version", [2**63, 2**64 - 1, "9" * 5000])
def test_a_version_beyond_64_bits_is_none(version):
    with pytest.raises(ServingError, match=f"^Failed to convert version: {version} to numeric.$"):
        paths.parse("POST", f"/v1/models/foo/versions/{version}:predict")


def test_a_model_must_be_named():
    with pytest.raises(ServingError, match=r"^Missing model name in request.$"):
        paths.parse("GET", "/v1/models")
