"""The declaration of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.config import RunConfig
from pipelines.runs.artifact import Artifact
from pipelines.runs.job import Job


def _no_sources(job: Job) -> Mapping[str, str]:
    return {}


def _anything(given: RunConfig | Job) -> None:
    """Finds nothing wrong."""


@dataclass(frozen=True)
class Step:
    """A step of a run; it is done again when anything changes that is declared here.

    Attributes:
      name: as it is shown and given to `--force`, `--from` and `--until`.
      needs: the steps whose artifacts it reads.
      reads: the parts of the config that it reads, as dotted keys.
      ignores: keys below these that change nothing about what comes out.
      code: the packages and modules whose source it runs.
      marker: the file of the artifact that is there once the artifact is whole, and tells two of them
        apart; `""` where the artifact is a file.
      work: makes the artifact, whole or not at all.
      sources: what it reads besides, with a digest each.
      check: refuses a config that it cannot work by, before any step is begun; not asked again about parts of
        the config that it has worked by.
      check_places: likewise, and each time, refuses what a job names outside of the run folder.
      shown: a text file in the run folder that is printed whenever the step is done or reused.
    """

    name: str
    needs: tuple[str, ...]
    reads: tuple[str, ...]
    code: tuple[str, ...]
    marker: str
    work: Callable[[Job], Artifact]
    sources: Callable[[Job], Mapping[str, str]] = _no_sources
    ignores: tuple[str, ...] = ()
    check: Callable[[RunConfig], None] = _anything
    check_places: Callable[[Job], None] = _anything
    shown: str | None = None
