"""`training/` to the next version in `model/`."""

from __future__ import annotations

from pipelines.runs.artifact import Artifact
from pipelines.runs.job import Job
from preprocessing.schema import folder_digest


def export(job: Job) -> Artifact:
    """Exports the trained model, unless this attempt did so before it was cut off.

    Raises:
      InputError: see `trainer.export.export`.
    """
    from trainer.export import export as write_version

    folder = write_version(
        job.artifacts["preprocess"],
        job.artifacts["train"],
        job.folder / "model",
        job.config.trainer,
        job.display.progress,
        job.attempt,
    )
    job.display.console.print(f"exported {folder}", markup=False, soft_wrap=True)
    return Artifact(folder, folder_digest(folder))
