"""The search: examples once, trials by one or more processes, the best config in the end."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console

from pipelines.config import RunConfig
from pipelines.hyperparameters.best import write_best
from pipelines.hyperparameters.config import TuneConfig, read_tune_config
from pipelines.hyperparameters.picture import draw
from pipelines.hyperparameters.results import Result, best_of, results_of, show_table, write_table
from pipelines.hyperparameters.space import Space
from pipelines.hyperparameters.study import BEGUN, Study
from pipelines.hyperparameters.trial import run_trial
from pipelines.work.preprocess import digests
from preprocessing.errors import PipelineError
from preprocessing.pipeline import preprocess
from preprocessing.plan import make_plan
from preprocessing.schema import SCHEMA_FILE, InputError, read_config_mapping


@dataclass(frozen=True)
class Search:
    """One config's search and its folder.

    The folder holds `examples/`, `logs/<trial>/` (TensorBoard), `trials.log` (Optuna's journal), and for
    people `trials.csv`, `trials.png` and `best.yaml`, which are written anew after each trial.

    Attributes:
      folder: of the search.
      config: the whole config.
      tune: its `tune:` section.
      space: what can be tried.
      study: the trials.
      console: where progress is shown.
    """

    folder: Path
    config: RunConfig
    tune: TuneConfig
    space: Space
    study: Study
    console: Console

    @classmethod
    def open(cls, path: Path, folder: Path, console: Console) -> Search:
        """Reads and checks the config, and opens its folder.

        Raises:
          InputError: the config cannot be used, or the folder holds something else.
        """
        config, tune = RunConfig.read(path), read_tune_config(path)
        config.check_alone()
        space = Space.of(tune, path, read_config_mapping(path))
        plan = make_plan(config.data, config.base)
        trainer = config.trainer
        trained = (trainer.model, trainer.train)
        parts = [
            config.name,
            digests(plan),
            *(each.model_dump_json() for each in (config.data, *trained, tune)),
        ]
        identity = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return cls(folder, config, tune, space, Study(folder, space, tune.pruning, identity), console)

    @property
    def examples(self) -> Path:
        """What all trials share."""
        return self.folder / "examples"

    def prepare(self) -> None:
        """Preprocesses unless that was done; another process that does so is waited for."""
        with self.study.alone(), self.console.status("preprocessing") as status:
            self._sweep()
            if not (self.examples / SCHEMA_FILE).exists():
                config = self.config
                preprocess(config.data, config.name, config.base, self.examples, progress=status.update)

    def work(self, total: int) -> None:
        """Does trials until `total` were begun, by whichever process."""
        while (claim := self.study.claim(total)) is not None:
            run_trial(self.study, claim, self.space, self.tune.metric, self.examples, self.folder, self._say)
            with self.study.alone():
                self._write()

    def conclude(self) -> None:
        """Prints the trials and where the best config is.

        Raises:
          InputError: no trial was trained to its end.
        """
        with self.study.alone():
            results = results_of(self.study.trials)
            best = self._write()
        show_table(results, self.space.distributions, self.tune.metric, self.console)
        if best is None:
            reasons = "\n".join(f"trial {each.name}: {each.reason}" for each in results if each.reason)
            raise InputError(f"{self.folder}: no trial was trained to its end\n{reasons}".rstrip())
        self.console.print(
            f"The best is trial {best.name}: tandem run --config {self.folder / 'best.yaml'}",
            markup=False,
            soft_wrap=True,
        )

    def _write(self) -> Result | None:
        results = results_of(self.study.trials)
        write_table(self.folder, results, self.space.distributions, self.tune.metric)
        draw(self.folder, results, self.space, self.tune.metric)
        best = best_of(results)
        if best is not None:
            remark = (
                f"Trial {best.name} of {len(results)} of `tandem tune`: {self.tune.metric} {best.value:.4f}"
            )
            write_best(self.folder, self.space, self.config.name, best.point, f"{remark} on validation.")
        return best

    def _sweep(self) -> None:
        """Deletes the checkpoints of trials that ended, which a kill left behind."""
        going_on = {
            trial.user_attrs.get(BEGUN, str(trial.number))
            for trial in self.study.trials
            if trial.state in (TrialState.RUNNING, TrialState.WAITING)
        }
        for training in (self.folder / "training").glob("*"):
            if training.name not in going_on:
                shutil.rmtree(training, ignore_errors=True)

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)


def tune(path: Path, folder: Path, trials: int, parallel: int, console: Console) -> None:
    """Searches with one or more processes on this machine.

    Args:
      path: of the config.
      folder: of the search; whoever else works in it shares the trials.
      trials: how many in all, those of earlier commands included.
      parallel: processes.
      console: where progress and results are printed.

    Raises:
      InputError: the config cannot be used, the folder holds something else, or no trial was finished.
      PipelineError: a process ended in the middle of a trial.
    """
    search = Search.open(path, folder, console)
    search.prepare()
    if parallel == 1:
        search.work(trials)
    else:
        _work_in_processes(path, folder, trials, parallel)
    search.conclude()


def _work_in_processes(path: Path, folder: Path, trials: int, parallel: int) -> None:
    command = [sys.executable, "-m", "pipelines.hyperparameters.worker", str(path), str(folder), str(trials)]
    # The worker ends when its input does, so that none outlives this process.
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(parallel)]
    try:
        ended = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    if any(ended):
        statuses = ", ".join(map(str, ended))
        raise PipelineError(
            f"{folder}: a process ended in the middle (exit status of each: {statuses}); the same command "
            "goes on, with a lower --parallel if memory ran out"
        )
