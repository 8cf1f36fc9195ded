"""One trial: a training that tells how it goes on, and can be given up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import tensorflow as tf
from rich.console import Console

from pipelines.hyperparameters.space import Space
from pipelines.hyperparameters.study import Claim, Study
from preprocessing.schema import InputError
from trainer.progress import Progress
from trainer.train import train


class TrialReport(tf.keras.callbacks.Callback):
    """Reports each epoch's metric, and gives a trial up that does poorly.

    Args:
      claim: the trial.
      metric: the name of what is reported.
      reported: epochs, from 0, that were reported before a kill.
      say: shows a line.
    """

    def __init__(self, claim: Claim, metric: str, reported: set[int], say: Callable[[str], None]) -> None:
        super().__init__()
        self._claim = claim
        self._metric = metric
        self._reported = reported
        self._say = say

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports.

        Raises:
          optuna.TrialPruned: the others did better by this epoch.
        """
        value = float((logs or {})[self._metric])
        self._say(f"trial {self._claim.name}  epoch {epoch + 1:3d}  {self._metric} {value:.4f}")
        if epoch not in self._reported:
            self._claim.trial.report(value, epoch)
        if self._claim.trial.should_prune():
            raise optuna.TrialPruned(f"worse than the median after epoch {epoch + 1}")


def run_trial(
    study: Study,
    claim: Claim,
    space: Space,
    metric: str,
    examples: Path,
    folder: Path,
    say: Callable[[str], None],
) -> None:
    """Trains a trial and tells the study what came of it.

    Args:
      study: that the trial is of.
      claim: the trial.
      space: makes the trial's config.
      metric: that the trial is judged by.
      examples: that all trials share.
      folder: of the study. Checkpoints stand in its `training/` only while the trial goes on;
        TensorBoard's files stay in its `logs/`.
      say: shows a line.
    """
    training = folder / "training" / claim.name
    shown = ", ".join(f"{key} {_short(value)}" for key, value in claim.point.items())
    say(f"trial {claim.name}: {shown}")
    reported = set(study.trials[claim.trial.number].intermediate_values)
    report = TrialReport(claim, metric, reported, say)
    try:
        result = train(
            examples,
            training,
            space.trainer(claim.point),
            Progress(Console(quiet=True)),
            folder / "logs" / claim.name,
            callbacks=[report],
        )
    except (optuna.TrialPruned, InputError) as error:
        say(f"trial {claim.name} is given up: {error}")
        study.prune(claim, str(error))
    else:
        say(f"trial {claim.name}: {result.summary}")
        study.complete(claim, result.ndcg)
    finally:
        tf.keras.backend.clear_session()
    shutil.rmtree(training, ignore_errors=True)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
