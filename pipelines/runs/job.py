"""What a step is given to work with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.runs.display import Display


@dataclass(frozen=True)
class Job:
    """One attempt at a step.

    Attributes:
      folder: of the run.
      config: the whole config.
      workers: processes that may preprocess.
      warm_start: the run folder whose model training starts from, or None.
      display: where progress is shown.
      artifacts: what the steps before it left, by their names.
      attempt: names this attempt; one that is gone on with after a kill keeps its name.
      continued: whether it was begun before and cut off.
    """

    folder: Path
    config: RunConfig
    workers: int
    warm_start: Path | None
    display: Display
    artifacts: dict[str, Path]
    attempt: str = ""
    continued: bool = False
