from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.vertex.config import VertexRun
from pipelines.vertex.specification import compile_document

IMAGE = "europe-west4-docker.pkg.dev/my-project/tandem/tandem:0.1.0"


def config_values() -> dict[str, Any]:
    """A small config that is fit for Vertex AI."""
    columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}
    return {
        "name": "My shop",
        "data": {"interactions": {"path": "gs://shop/purchases.csv", "columns": columns}},
        "evaluate": {"require": ["ndcg@10>=0.1", "ndcg@10[unseen]>0"]},
        "vertex": {
            "project": "my-project",
            "region": "europe-west4",
            "staging": "gs://my-bucket/tandem",
            "image": IMAGE,
            "service_account": "tandem@my-project.iam.gserviceaccount.com",
        },
    }


@pytest.fixture
def write_run(tmp_path):
    """Writes a config whose `vertex:` section is changed, and reads it."""

    def write(**changes: Any) -> VertexRun:
        values = config_values()
        for key, value in changes.pop("config", {}).items():
            values[key] = value
        values["vertex"].update(changes)
        return VertexRun.read(write_config(tmp_path, values))

    return write


def write_config(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> dict[str, Any]:
    """The specification of the small config."""
    return compile_document(VertexRun.read(write_config(tmp_path_factory.mktemp("vertex"), config_values())))
