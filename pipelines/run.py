"""The whole way on this machine: preprocess, train, export, evaluate, serve and ask."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import fasteners
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.table import Table

from pipelines import steps
from pipelines.config import RunConfig
from pipelines.evaluation.judge import judge
from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.output import write_evaluation
from pipelines.evaluation.report import Report
from pipelines.evaluation.requirements import bless
from pipelines.local_server import local_server
from pipelines.recommendations import ask, show
from pipelines.statistics_table import show_statistics
from preprocessing.pipeline import preprocess
from preprocessing.plan import make_plan
from preprocessing.schema import InputError, Schema, read_vocabulary
from serving.client import Client
from serving.models.saved_model import LoadedModel
from serving.models.versions import find as find_versions
from trainer.export import export
from trainer.progress import Progress
from trainer.train import train


@dataclass(frozen=True)
class Timing:
    """How long a step took, and whether it was found finished."""

    step: str
    seconds: float
    reused: bool


class Run:
    """One run and its folder: `examples/`, `training/`, `model/<version>/`, `evaluation/`, `server.log`.

    A step whose key is the one it was last finished with is reused. One that was cut off is done again,
    and training goes on from its last whole epoch.

    Args:
      folder: the run folder; it is made when it is not there.
      config: the whole config.
      workers: processes that preprocess.
      console: where progress and results are printed.
    """

    def __init__(self, folder: Path, config: RunConfig, workers: int, console: Console) -> None:
        self._folder = folder
        self._config = config
        self._workers = workers
        self._console = console
        self._progress = Progress(console)
        self._timings: list[Timing] = []

    def execute(self) -> None:
        """Does every step that is not finished, then prints metrics, recommendations and timings.

        Raises:
          InputError, ServingError: a step cannot use what it was given.
        """
        config, trainer = self._config, self._config.trainer
        with self._alone():
            plan = make_plan(config.data, config.base)
            examples = steps.key(config.name, config.data, *steps.states(plan))
            self._step("preprocess", examples, "examples/schema.json", self._preprocess)
            training = steps.key(examples, trainer.model, trainer.train, str(trainer.export.candidates))
            self._step("train", training, "training/training.json", self._train)
            exported = steps.key(training, trainer.export)
            self._step("export", exported, "model/*/saved_model.pb", self._export)
            self._step("evaluate", exported, "evaluation/metrics.json", self._evaluate)
            self._show_metrics()
            with self._timed("recommend"):
                self._recommend()
        self._show_timings()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = fasteners.InterProcessLock(self._folder / ".lock")
        if not lock.acquire(blocking=False):
            raise InputError(f"{self._folder}: another run is at work in this folder; choose another one")
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        self._console.rule(f"[bold]{name}", align="left")
        began = time.monotonic()
        yield
        self._timings.append(Timing(name, time.monotonic() - began, reused=False))

    def _step(self, name: str, key: str, artifact: str, work: Callable[[], None]) -> None:
        marker = steps.Marker(self._folder / ".finished" / name)
        if marker.holds(key) and any(self._folder.glob(artifact)):
            self._console.print(f"{name}: nothing has changed, reused")
            self._timings.append(Timing(name, 0.0, reused=True))
            return
        marker.remove()
        with self._timed(name):
            work()
        marker.write(key)

    def _preprocess(self) -> None:
        with self._console.status("preprocessing") as status:
            schema = preprocess(
                self._config.data,
                self._config.name,
                self._config.base,
                self._examples,
                self._workers,
                progress=status.update,
            )
        show_statistics(self._examples, self._console)
        if not schema.counts["test"]:
            raise InputError(f"the {schema.split} split leaves nothing to test with; see data.split")

    def _train(self) -> None:
        result = train(self._examples, self._training, self._config.trainer, self._progress)
        self._console.print(result.summary)

    def _export(self) -> None:
        folder = export(self._examples, self._training, self._model, self._config.trainer, self._progress)
        self._console.print(f"exported {folder}")

    def _evaluate(self) -> None:
        versions = find_versions(str(self._model))
        newest = versions[max(versions)]
        with (
            contextlib.closing(LoadedModel(newest)) as model,
            Bars(console=self._console, transient=True) as bars,
        ):
            report = judge(model, self._examples, "test", bars, ModelVersion.of_folder(newest))
        write_evaluation(self._metrics.parent, report, bless(report, ()))

    def _show_metrics(self) -> None:
        Report.read(self._metrics).print(self._console)

    def _recommend(self) -> None:
        schema = Schema.read(self._examples)
        users = read_vocabulary(self._examples / schema.users.vocabulary)
        popular = read_vocabulary(self._examples / schema.items.vocabulary)[:2]
        with local_server(self._model, self._folder / "server.log") as target, Client(target) as client:
            self._console.print(f"a model server answers at {target} (gRPC)")
            # Ids stand in falling order of activity: a busy user, a middling one, and somebody new.
            for user in (users[len(users) // 10], users[len(users) // 2]):
                self._console.print(f"\n[bold]tandem recommend --user {escape(user)}[/bold]")
                show(ask(client, user=user, k=5), self._console)
            self._console.print(f"\n[bold]tandem recommend --history {escape(','.join(popular))}[/bold]")
            show(ask(client, history=popular, k=5), self._console)

    @property
    def _examples(self) -> Path:
        return self._folder / "examples"

    @property
    def _training(self) -> Path:
        return self._folder / "training"

    @property
    def _model(self) -> Path:
        return self._folder / "model"

    @property
    def _metrics(self) -> Path:
        return self._folder / "evaluation" / "metrics.json"

    def _show_timings(self) -> None:
        table = Table("step", "seconds")
        table.columns[1].justify = "right"
        for timing in self._timings:
            table.add_row(timing.step, "reused" if timing.reused else f"{timing.seconds:.1f}")
        self._console.print(table)
        self._console.print(
            f"Serve it: tandem serve --model_base_path={self._model}", markup=False, soft_wrap=True
        )
