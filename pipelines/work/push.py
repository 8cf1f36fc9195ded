"""A blessed version to the folder that a model server watches."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.runs.artifact import Artifact
from pipelines.runs.errors import NotBlessedError
from pipelines.runs.job import Job
from preprocessing.schema import InputError, folder_digest, whole_folder


def serving_folder(config: RunConfig, run: Path) -> Path:
    """Where versions are pushed to."""
    folder = config.pipeline.push.folder
    return run / "serving" if folder is None else config.base / folder


def check_folder(job: Job) -> None:
    """Refuses a folder that versions cannot be written to.

    Raises:
      InputError: it is a file or below one, or nobody but others may write there.
    """
    serving = serving_folder(job.config, job.folder)
    key = f"{job.config.path}: push.folder: " if job.config.pipeline.push.folder else ""
    there = next(place for place in (serving, *serving.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise InputError(f"{key}{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{key}{there}: no permission to write there")


def push(job: Job) -> Artifact:
    """Copies the version as the newest one, which appears whole or not at all.

    Raises:
      NotBlessedError: the model does not hold what is required; what was pushed before stays.
      InputError: another command is writing a version there.
    """
    from pipelines.evaluation.requirements import Blessing
    from trainer.version import newest_version, writing_alone

    serving, version = serving_folder(job.config, job.folder), job.artifacts["export"]
    with writing_alone(serving):
        newest = newest_version(serving)
        blessing = Blessing.read(job.artifacts["bless"].parent)
        if not blessing.blessed:
            missed = [finding for finding in blessing.findings if not finding.holds]
            told = "\n".join(f"  {each.requirement}: it has {each.value:.4f}" for each in missed)
            raise NotBlessedError(
                f"{version} is not blessed and was not pushed:\n{told}\n"
                + (f"{serving / str(newest)} stays the newest version there" if newest else "")
            )
        target = serving / str(newest)
        if not (newest and _is_of_this_attempt(target, version)):
            target = serving / str(newest + 1)
            with whole_folder(target) as scratch:
                shutil.copytree(version, scratch, dirs_exist_ok=True)
    job.display.console.print(f"pushed {version} to {target}", markup=False, soft_wrap=True)
    return Artifact(target, folder_digest(target))


def _is_of_this_attempt(newest: Path, version: Path) -> bool:
    """Whether the newest version is this one, with items added since or not."""
    from trainer.version import Details

    try:
        return Details.read(newest).trained == Details.read(version).trained
    except InputError:
        return False
