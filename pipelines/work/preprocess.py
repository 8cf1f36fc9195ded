"""Raw tables to `examples/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.runs.artifact import Artifact
from pipelines.runs.job import Job
from preprocessing.schema import InputError, file_digest

if TYPE_CHECKING:
    from preprocessing.plan import Plan


def sources(job: Job) -> dict[str, str]:
    """A digest of every file that preprocessing reads.

    Raises:
      InputError: the tables or the language model cannot be used.
    """
    from preprocessing.plan import make_plan

    return digests(make_plan(job.config.data, job.config.base))


def digests(plan: Plan) -> dict[str, str]:
    """A digest of every file of a plan.

    Files on this machine are read and hashed; of a remote one its name and size must do.
    """
    found: dict[str, str] = {}
    for source in plan.sources:
        for file in source.files:
            path = Path(file.path)
            found[f"{source.name}: {file.name}"] = (
                file_digest(path) if path.is_file() else f"{file.path} {file.size}"
            )
    if plan.language_model:
        for path in sorted(plan.language_model.path.iterdir()):
            if path.is_file():
                found[f"language model: {path.name}"] = file_digest(path)
    return found


def preprocess(job: Job) -> Artifact:
    """Makes the examples.

    Raises:
      InputError: the tables cannot be used, or leave nothing to test with.
    """
    from pipelines.statistics_table import show_statistics
    from preprocessing.pipeline import preprocess as make_examples

    folder = job.folder / "examples"
    config = job.config
    schema = make_examples(
        config.data, config.name, config.base, folder, job.workers, progress=job.display.phase
    )
    show_statistics(folder, job.display.console)
    if not schema.counts["test"]:
        raise InputError(f"the {schema.split} split leaves nothing to test with; see data.split")
    return Artifact(folder, file_digest(folder / "schema.json"))
