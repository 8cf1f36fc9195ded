"""The trials of one search, kept on disk and shared by all processes that work on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fasteners
import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pipelines.hyperparameters.config import PruningConfig
from pipelines.hyperparameters.space import Point, Space
from preprocessing.schema import InputError, write_whole

IDENTITY_FILE = "study"
JOURNAL_FILE = "trials.log"
RETRIES = 3
"""A trial that was killed is begun again so many times, then left alone: it may be what kills."""

BEGUN = "begun_as"
REASON = "reason"
RETRIED = "retried"


@dataclass(frozen=True)
class Claim:
    """A trial that this process alone works on.

    Attributes:
      trial: Optuna's.
      point: what it tries.
      name: the number of the trial as which it was begun, before any kill.
      lock: held until the trial is told, or the process ends in whatever way.
    """

    trial: optuna.Trial
    point: Point
    name: str
    lock: fasteners.InterProcessLock


class Study:
    """The trials in a folder; several processes can share it, and each can be killed at any time.

    Args:
      folder: of the study; it is made when it is not there.
      space: what can be tried.
      pruning: when trials are given up.
      identity: tells this search from others.

    Raises:
      InputError: the folder holds something else.
    """

    def __init__(self, folder: Path, space: Space, pruning: PruningConfig | None, identity: str) -> None:
        self._folder = folder
        self._space = space
        self._lock = fasteners.InterProcessLock(folder / ".locks" / "study")
        _take(folder, identity)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self.alone():
            self._study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL_FILE))),
                sampler=TPESampler(),
                pruner=_pruner(pruning),
                study_name="tandem",
                direction="maximize",
                load_if_exists=True,
            )
            start = space.starting_point()
            if start is not None and not self.trials:
                self._study.enqueue_trial(dict(start))

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, those of other processes included, in the order in which they were begun."""
        return self._study.get_trials(deepcopy=False)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps the other processes waiting while the block lasts."""
        (self._folder / ".locks").mkdir(parents=True, exist_ok=True)
        with self._lock:
            yield

    def claim(self, total: int) -> Claim | None:
        """Begins the next trial, unless `total` were begun or there is nothing left to try.

        A trial whose process is gone is marked as failed, and is the next to be begun again.
        """
        with self.alone():
            self._fail_lost_trials()
            begun = [each for each in self.trials if each.state in (TrialState.RUNNING, *_TOLD)]
            if len(begun) >= total or not self._has_next(total):
                return None
            trial = self._study.ask(dict(self._space.distributions))
            lock = self._lock_of(trial.number)
            lock.acquire()
            name = trial.user_attrs.get(BEGUN, str(trial.number))
            return Claim(trial, trial.params, name, lock)

    def complete(self, claim: Claim, value: float) -> None:
        """Tells that a trial was trained to its end."""
        self._study.tell(claim.trial, value)
        claim.lock.release()

    def prune(self, claim: Claim, reason: str) -> None:
        """Tells that a trial was given up, and why."""
        claim.trial.set_user_attr(REASON, reason)
        self._study.tell(claim.trial, state=TrialState.PRUNED)
        claim.lock.release()

    def _lock_of(self, number: int) -> fasteners.InterProcessLock:
        return fasteners.InterProcessLock(self._folder / ".locks" / f"trial-{number}")

    def _fail_lost_trials(self) -> None:
        """The lock of a process that ended is free."""
        for trial in self.trials:
            if trial.state == TrialState.RUNNING:
                lock = self._lock_of(trial.number)
                if lock.acquire(blocking=False):
                    self._study.tell(trial.number, state=TrialState.FAIL)
                    self._retry(trial)
                    lock.release()

    def _retry(self, trial: FrozenTrial) -> None:
        retried = trial.user_attrs.get(RETRIED, 0)
        if retried == RETRIES or set(trial.params) != set(self._space.distributions):
            return
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.WAITING,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values=trial.intermediate_values,
                user_attrs={BEGUN: trial.user_attrs.get(BEGUN, str(trial.number)), RETRIED: retried + 1},
            )
        )

    def _has_next(self, total: int) -> bool:
        """Whether there is anything to begin; a combination that comes next is put in line.

        When all combinations can be tried, each is tried once, also one that was left alone because each
        attempt at it was killed. Otherwise Optuna chooses.
        """
        combinations = list(self._space.combinations(total))
        if not combinations or any(trial.state == TrialState.WAITING for trial in self.trials):
            return True
        tried = [trial.params for trial in self.trials]
        untried = [point for point in combinations if point not in tried]
        if untried:
            self._study.enqueue_trial(dict(untried[0]))
        return bool(untried)


_TOLD = (TrialState.COMPLETE, TrialState.PRUNED)


def _pruner(pruning: PruningConfig | None) -> optuna.pruners.BasePruner:
    if pruning is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(pruning.startup_trials, pruning.warmup_epochs)


def _take(folder: Path, identity: str) -> None:
    """Makes the folder this study's own.

    Raises:
      InputError: it holds another study, or something else.
    """
    marker = folder / IDENTITY_FILE
    if marker.exists():
        if marker.read_text(encoding="utf-8") != identity:
            raise InputError(
                f"{folder}: holds trials of another config or of other data; choose another folder"
            )
        return
    if folder.exists() and any(path.name[0] != "." for path in folder.iterdir()):
        raise InputError(f"{folder}: holds files that are not of `tandem tune`; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(marker, identity.encode())
