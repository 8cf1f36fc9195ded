"""`evaluation/metrics.json` and the requirements to `evaluation/blessing.json`, with a page for people."""

from __future__ import annotations

from pipelines.config import RunConfig
from pipelines.evaluation.files import BLESSING_FILE, METRICS_FILE, PAGE_FILE
from pipelines.runs.artifact import Artifact
from pipelines.runs.job import Job
from preprocessing.config import LabelColumn
from preprocessing.schema import InputError, file_digest


def check_requirements(config: RunConfig) -> None:
    """Refuses requirements that cannot be read, or that no model of these data can be judged by.

    Raises:
      InputError: one line a requirement; it says which, and what is allowed.
    """
    if not config.pipeline.evaluate.require:
        return
    from pipelines.evaluation.requirements import Requirement

    labelled = any(isinstance(column, LabelColumn) for column in config.data.interactions.columns.values())
    problems = []
    for number, text in enumerate(config.pipeline.evaluate.require):
        try:
            Requirement.parse(text).check(labelled)
        except InputError as error:
            problems.append(f"{config.path}: evaluate.require.{number}: {error}")
    if problems:
        raise InputError("\n".join(problems))


def bless(job: Job) -> Artifact:
    """Judges the report by the requirements; a model is blessed when it holds all of them.

    Raises:
      InputError: the report does not have what one of them asks for.
    """
    from pipelines.evaluation import requirements
    from pipelines.evaluation.page.page import write_page
    from pipelines.evaluation.report import Report

    folder = job.artifacts["evaluate"]
    wanted = [requirements.Requirement.parse(text) for text in job.config.pipeline.evaluate.require]
    report = Report.read(folder / METRICS_FILE)
    blessing = requirements.bless(report, wanted)
    write_page(folder / PAGE_FILE, report, blessing)
    blessing.write(folder)
    blessing.print(job.display.console)
    path = folder / BLESSING_FILE
    return Artifact(path, file_digest(path))
