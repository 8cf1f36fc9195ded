import pytest
import yaml

from pipelines.vertex.config import VertexRun
from preprocessing.schema import InputError
from tests.pipelines.vertex.conftest import IMAGE, config_values, write_config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"project": None}, r"vertex: project: .*string \(found None\)"),
        (
            {"project": "My Project"},
            r"vertex: project: expected the id of a Google Cloud project.*\(found 'My Project'\)",
        ),
        (
            {"staging": "my-bucket"},
            r"vertex: staging: expected a bucket .*gs://my-bucket/tandem \(found 'my-bucket'\)",
        ),
        ({"staging": "gs://"}, r"vertex: staging: expected a bucket"),
        ({"image": "tandem"}, r"vertex: image: expected an image with a tag .*\(found 'tandem'\)"),
        ({"image": IMAGE.split(":")[0]}, "vertex: image: expected an image with a tag or digest"),
        ({"region": "Europe"}, "vertex: region: expected a region, such as europe-west4"),
        ({"service_account": "me@example.com"}, "vertex: service_account: expected its address"),
        ({"machine": "n1"}, "vertex: machine: unknown key"),
        ({"train": {"machine_type": "big"}}, r"vertex: train.machine_type: expected a machine type"),
        ({"train": {"accelerator": {"type": "L4"}}}, r"train.accelerator.type: .*NVIDIA_"),
        (
            {
                "train": {
                    "tpu_topology": "2x2",
                    "machine_type": "ct5lp-hightpu-4t",
                    "accelerator": {"type": "NVIDIA_L4"},
                }
            },
            "train: .*accelerator is for GPUs and does not go with a TPU",
        ),
        ({"train": {"tpu_topology": "2x2"}}, "a TPU needs both a machine_type such as .*found n1-standard-8"),
        ({"train": {"machine_type": "ct5lp-hightpu-4t"}}, "and a tpu_topology such as 2x2 .*found None"),
        (
            {"train": {"replicas": 2}},
            r"vertex.train.replicas: 2 needs train.distribution.kind: multi_worker \(found one\)",
        ),
        (
            {"train": {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "2x2"}},
            r"vertex.train.tpu_topology needs train.distribution.kind: tpu \(found one\)",
        ),
        (
            {"config": {"train": {"distribution": {"kind": "tpu"}}}},
            "train.distribution.kind: tpu needs vertex.train.tpu_topology",
        ),
        ({"dataflow": {"workers": 20}}, r"workers \(20\) must not be above maximum_workers \(10\)"),
        (
            {"dataflow": {"subnetwork": "mine"}},
            "dataflow.subnetwork: expected regions/REGION/subnetworks/NAME",
        ),
        (
            {"serve": {"minimum_replicas": 5}},
            r"minimum_replicas \(5\) must not be above maximum_replicas \(3\)",
        ),
        ({"serve": {"server": "tensorflow-serving"}}, "Vertex AI serves from Artifact Registry alone"),
        (
            {"serve": {"server": "tensorflow-serving", "image": IMAGE}},
            "cannot load export.index: scann; set export",
        ),
        (
            {"serve": {"endpoint": "shop"}},
            "serve.endpoint: expected projects/PROJECT/locations/REGION/endpoints/ID",
        ),
    ],
)
def test_wrong_settings_say_what_is_allowed(write_run, changes, said):
    with pytest.raises(InputError, match=said):
        write_run(**changes)


@pytest.mark.parametrize("key", ["project", "region", "staging", "image"])
def test_what_is_needed_is_named(tmp_path, key):
    values = config_values()
    del values["vertex"][key]
    with pytest.raises(InputError, match=f"shop.yaml: vertex: {key}: this key is required"):
        VertexRun.read(write_config(tmp_path, values))


def test_the_section_must_be_there(tmp_path):
    values = config_values()
    del values["vertex"]
    with pytest.raises(InputError, match="the section vertex: is missing; it needs project, region, staging"):
        VertexRun.read(write_config(tmp_path, values))


def test_files_of_this_machine_are_refused(tmp_path):
    values = config_values()
    values["data"]["interactions"]["path"] = "purchases.csv"
    values["data"]["language_model"] = {"path": "bert"}
    with pytest.raises(InputError) as raised:
        VertexRun.read(write_config(tmp_path, values))
    assert "data.interactions.path: purchases.csv cannot be read there; copy it to a bucket" in str(
        raised.value
    )
    assert "data.language_model.path: bert is not in the image; give asset://NAME" in str(raised.value)


def test_the_document_stands_alone(tmp_path):
    write_config(tmp_path, config_values())
    path = tmp_path / "large.yaml"
    path.write_text("extends: shop.yaml\nmodel: {dimension: 128}\n", encoding="utf-8")
    document = yaml.safe_load(VertexRun.read(path).document)
    assert document["model"] == {"dimension": 128} and document["vertex"]["image"] == IMAGE
    assert "extends" not in document
