"""The whole comparison: preprocess, train, export, judge the exported models and the peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bars

from benchmarks.chart import draw
from benchmarks.examples import make_examples
from benchmarks.judging import Judging
from benchmarks.kept import Kept
from benchmarks.models import Trained, train_and_export
from benchmarks.record import write_record
from pipelines.config import RunConfig
from pipelines.evaluation.cases import HeldOut
from pipelines.evaluation.report import Report
from pipelines.runs.folder import alone
from trainer.progress import Progress

LIBRARIES = ("tensorflow-recommenders", "scann", "transformers", "scipy", "implicit")


class Comparison:
    """A benchmark and its folder: `examples/`, `models/<name>/`, `judged/`, and the results.

    What is finished and whose inputs have not changed is reused.

    Args:
      folder: it is made when it is not there.
      configs: of the models, as `read_configs` gives them; all are compared with the first.
      part: what to judge by.
      workers: processes that preprocess.
      console: where progress and results are printed.
    """

    def __init__(
        self, folder: Path, configs: Sequence[RunConfig], part: HeldOut, workers: int, console: Console
    ) -> None:
        self._folder = folder
        self._examples = folder / "examples"
        self._configs = configs
        self._part = part
        self._workers = workers
        self._console = console

    def execute(self) -> Report:
        """Does what is not finished, prints the tables and writes `accuracy.json` and `accuracy.png`.

        Raises:
          InputError: the configs cannot be used.
        """
        with alone(self._folder):
            self._preprocess()
            trained = [self._train(config) for config in self._configs]
            self._console.rule(f"[bold]{self._part}", align="left")
            with Bars(console=self._console, transient=True) as bars:
                judging = Judging(self._examples, self._part, self._folder / "judged", self._console, bars)
                report, kept = judging.compare(trained)
            report.print(self._console)
            name = "accuracy" if self._part == "test" else f"accuracy-{self._part}"
            record, chart = self._folder / f"{name}.json", self._folder / f"{name}.png"
            write_record(record, self._found(report, trained, kept), LIBRARIES)
            draw(report, chart)
            self._console.print(f"written: {record}, {chart}", soft_wrap=True)
        return report

    def _preprocess(self) -> None:
        # Not the config's name: whichever config comes first, the examples and their digest are the same.
        name = self._folder.resolve().name
        make_examples(self._configs[0], name, self._folder, self._console, self._workers)

    def _train(self, config: RunConfig) -> Trained:
        self._console.rule(f"[bold]{config.name}", align="left")
        folder = self._folder / "models" / config.name
        trained = train_and_export(config, self._examples, folder, Progress(self._console))
        self._console.print(trained.result.summary)
        return trained

    def _found(self, report: Report, trained: Sequence[Trained], kept: Sequence[Kept]) -> dict[str, object]:
        models = zip(trained, self._configs, strict=True)
        return {
            "models": {
                model.name: {
                    "training_seconds": model.seconds,
                    "training": asdict(model.result),
                    "config": config.trainer.model_dump(mode="json", by_alias=True),
                }
                for model, config in models
            },
            "data": self._configs[0].data.model_dump(mode="json"),
            "judging_seconds": {each.judged.name: each.seconds for each in kept},
            "report": asdict(report),
        }
