"""The pipeline's specification, which Vertex AI reads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from pipelines.vertex.config import VertexRun
from pipelines.vertex.pipeline import make_pipeline
from preprocessing.schema import write_whole


def compile_text(run: VertexRun) -> str:
    """Compiles the pipeline of a config to YAML."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "pipeline.yaml"
        compiler.Compiler().compile(make_pipeline(run), str(path))
        return path.read_text(encoding="utf-8")


def compile_to(run: VertexRun, output: Path) -> None:
    """Writes the specification; the file is either whole or not there."""
    text = compile_text(run)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, text.encode())


def compile_document(run: VertexRun) -> dict[str, Any]:
    """The specification alone; what KFP writes about platforms after it is not Vertex AI's."""
    document: dict[str, Any] = next(yaml.safe_load_all(compile_text(run)))
    return document
