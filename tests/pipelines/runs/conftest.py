from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.config import RunConfig
from pipelines.runs.artifact import Artifact
from pipelines.runs.display import Display
from pipelines.runs.graph import Graph
from pipelines.runs.job import Job
from pipelines.runs.lineage import Lineage
from pipelines.runs.run import Run
from pipelines.runs.selection import Selection
from pipelines.runs.step import Step
from preprocessing.schema import file_digest

CONFIG = """
name: toy
data:
  interactions:
    path: interactions.csv
    columns: {user_id: {kind: id}, item_id: {kind: id}}
"""


class Toy:
    """A run of three steps that write small files: `grow` reads the file `seed`, `cook` what grew, and
    `serve` both of what these made."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = base / "run"
        self.done: list[str] = []
        self.continued: list[bool] = []
        self.fails: dict[str, Callable[[], None]] = {}
        self.output = ""
        (base / "seed").write_text("a b")
        self.configure()
        self.graph = Graph(
            (
                self._step("grow", (), ("train.seed",), lambda job: {"seed": file_digest(base / "seed")}),
                self._step("cook", ("grow",), ("train.epochs", "name")),
                self._step("serve", ("grow", "cook"), ()),
            )
        )

    def configure(self, more: str = "") -> None:
        (self.base / "config.yaml").write_text(CONFIG + more)

    def run(
        self, force: tuple[str, ...] = (), first: str | None = None, last: str | None = None
    ) -> list[str]:
        """Gives the names of the steps that were done."""
        self.done = []
        console = Console(record=True, quiet=False, file=(self.base / "log").open("a"), width=160)
        job = Job(
            self.folder,
            RunConfig.read(self.base / "config.yaml"),
            1,
            None,
            Display(console, self.graph.names),
            {},
        )
        try:
            Run(self.graph, Selection(force, first, last), job).execute()
        finally:
            self.output = console.export_text()
        return self.done

    @property
    def lineage(self) -> Lineage:
        return Lineage.read(self.folder)

    def _step(self, name: str, needs: tuple[str, ...], reads: tuple[str, ...], sources=None) -> Step:
        def work(job: Job) -> Artifact:
            self.done.append(name)
            self.continued.append(job.continued)
            folder = job.folder / name
            folder.mkdir(exist_ok=True)
            if name in self.fails:
                (folder / ".half.partial").write_text("half")
                self.fails[name]()
            words = [(job.artifacts[need] / "words").read_text() for need in needs]
            # Only the first word of the seed counts.
            text = " ".join(words) or (self.base / "seed").read_text().split()[0]
            (folder / "words").write_text(f"{name}({text} {sorted(job.config.parts(reads).items())})")
            return Artifact(folder, file_digest(folder / "words"))

        declared: dict[str, Callable[[Job], Mapping[str, str]]] = (
            {} if sources is None else {"sources": sources}
        )
        return Step(name, needs, reads, ("pipelines.runs",), "words", work, **declared)


@pytest.fixture
def toy(tmp_path) -> Toy:
    return Toy(tmp_path)
