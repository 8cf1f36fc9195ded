"""Does the steps of a run that are not done yet."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

from pipelines import __version__
from pipelines.runs.code import code_version
from pipelines.runs.folder import alone, scratch_inside, sweep
from pipelines.runs.graph import Graph
from pipelines.runs.job import Job
from pipelines.runs.lineage import Lineage
from pipelines.runs.record import Record
from pipelines.runs.selection import Selection
from pipelines.runs.step import Step
from preprocessing.schema import InputError, file_digest


class Run:
    """One run and its folder, with the steps' artifacts and `lineage.json`.

    Args:
      graph: the steps.
      selection: which of them are asked for.
      job: what all of them are given.

    Raises:
      InputError: a step is asked for that is not there.
    """

    def __init__(self, graph: Graph, selection: Selection, job: Job) -> None:
        selection.check(graph)
        self._graph = graph
        self._selection = selection
        self._job = job
        self._folder = job.folder
        self._lineage = Lineage(name=job.config.name, steps={})

    def execute(self) -> None:
        """Does or reuses each step that is asked for.

        Raises:
          InputError, ServingError, PipelineError: a step cannot use what it was given.
          NotBlessedError: the model is not to be pushed.
        """
        with alone(self._folder):
            self._lineage = Lineage.read(self._folder) or self._lineage
            sweep(self._folder)
            wanted = self._selection.wanted(self._graph)
            taken = self._selection.taken(self._graph)
            self._check(wanted, taken)
            with scratch_inside(self._folder), self._job.display.shown():
                for step in self._graph:
                    if step.name in taken:
                        self._take(step)
                    elif step.name in wanted:
                        self._do(step)

    def _check(self, wanted: tuple[str, ...], taken: set[str]) -> None:
        for step in self._graph:
            if step.name not in wanted or step.name in taken:
                continue
            record = self._lineage.steps.get(step.name)
            if record is None or record.config != self._config_of(step):
                step.check(self._job.config)
            step.check_places(self._job)

    def _take(self, step: Step) -> None:
        record = self._lineage.steps.get(step.name)
        if record is None or not self._is_there(step, record):
            raise InputError(
                f"--from {self._selection.first}: {step.name} comes before it and is not done in "
                f"{self._folder}"
            )
        self._keep(step, record)
        self._job.display.taken(step.name)

    def _do(self, step: Step) -> None:
        inputs = {name: self._lineage.steps[name].digest for name in step.needs}
        inputs |= step.sources(self._job)
        config, code = self._config_of(step), code_version(step.code)
        key = _hash(step.name, inputs, config, code)
        before = self._lineage.steps.get(step.name)
        if before is None or before.key != key:
            self._begin(step, inputs, config, code, key)
        elif before.state == "begun":
            self._work(step, before, continued=True)
        elif step.name in self._selection.force or not self._is_there(step, before):
            self._begin(step, inputs, config, code, key)
        else:
            self._keep(step, before)
            self._job.display.reused(step.name)
            self._show(step)

    def _begin(
        self, step: Step, inputs: dict[str, str], config: dict[str, object], code: str, key: str
    ) -> None:
        record = Record(
            state="begun",
            key=key,
            inputs=inputs,
            config=config,
            code=code,
            attempt=uuid.uuid4().hex,
            tandem=__version__,
            started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        # Said before anything is touched: from here on what stands there counts as unfinished.
        self._write(step, record)
        self._work(step, record, continued=False)

    def _work(self, step: Step, record: Record, continued: bool) -> None:
        began = time.monotonic()
        self._job.display.begun(step.name)
        artifact = step.work(dataclasses.replace(self._job, attempt=record.attempt, continued=continued))
        seconds = time.monotonic() - began
        done = record.model_copy(
            update={
                "state": "done",
                "seconds": round(seconds, 2),
                "artifact": os.path.relpath(artifact.path, self._folder),
                "digest": artifact.digest,
                "seal": file_digest(artifact.path / step.marker),
            }
        )
        self._write(step, done)
        self._keep(step, done)
        self._job.display.done(step.name, seconds)
        self._show(step)

    def _is_there(self, step: Step, record: Record) -> bool:
        if record.state != "done":
            return False
        marker = self._place(record) / step.marker
        return marker.is_file() and file_digest(marker) == record.seal

    def _place(self, record: Record) -> Path:
        assert record.artifact is not None  # it is done
        return self._folder / record.artifact

    def _keep(self, step: Step, record: Record) -> None:
        self._job.artifacts[step.name] = self._place(record)

    def _write(self, step: Step, record: Record) -> None:
        self._lineage = self._lineage.with_record(step.name, record)
        self._lineage.write(self._folder)

    def _show(self, step: Step) -> None:
        if step.shown:
            text = (self._folder / step.shown).read_text(encoding="utf-8")
            self._job.display.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _config_of(self, step: Step) -> dict[str, object]:
        return self._job.config.parts(step.reads, step.ignores)


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
