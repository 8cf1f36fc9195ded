"""A version and `examples/` to `evaluation/`."""

from __future__ import annotations

import contextlib
import io

from pipelines.evaluation.files import METRICS_FILE
from pipelines.runs.artifact import Artifact
from pipelines.runs.job import Job
from preprocessing.schema import file_digest, write_whole

REPORT_TEXT = "evaluation/report.txt"


def evaluate(job: Job) -> Artifact:
    """Compares the exported model with its peers.

    Raises:
      InputError: see `pipelines.evaluation.judge.judge`.
    """
    from rich.console import Console

    from pipelines.evaluation.judge import judge
    from pipelines.evaluation.model_version import ModelVersion
    from serving.models.saved_model import LoadedModel

    version = str(job.artifacts["export"])
    with contextlib.closing(LoadedModel(version)) as model, job.display.bars() as bars:
        report = judge(model, job.artifacts["preprocess"], "test", bars, ModelVersion.of_folder(version))
    folder = job.folder / "evaluation"
    report.write(folder / METRICS_FILE)
    text = io.StringIO()
    report.print(Console(file=text, width=job.display.console.width))
    write_whole(job.folder / REPORT_TEXT, text.getvalue().encode())
    return Artifact(folder, file_digest(folder / METRICS_FILE))
