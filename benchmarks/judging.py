"""Judges exported models and all peers on one part, and keeps what is done."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks import finished
from benchmarks.kept import Kept
from benchmarks.models import Trained
from benchmarks.peers.ials import ials
from benchmarks.peers.tutorial import tfrs_tutorial
from pipelines.evaluation.cases import HeldOut, read_ids
from pipelines.evaluation.judge import Judge
from pipelines.evaluation.peers.peer import Kind
from pipelines.evaluation.peers.usual import usual_peers
from pipelines.evaluation.report import Report
from pipelines.evaluation.rows import Judged
from pipelines.evaluation.texts import read_texts
from preprocessing.schema import file_digest, folder_digest, write_whole
from serving.models.saved_model import LoadedModel
from serving.predictor import Predictor

ROOT = Path(__file__).resolve().parents[1]
JUDGING = (
    "pipelines/evaluation/*.py",
    "pipelines/evaluation/peers/*.py",
    "benchmarks/peers/*.py",
    "trainer/dataset.py",
    "trainer/language_model/*.py",
    "trainer/metrics.py",
)
"""The code that decides what anybody answers, and what texts are: where it changes, all are judged anew."""


class Judging:
    """One part of the examples, and a folder for what was judged by it.

    Args:
      examples: that the models were trained on.
      part: what to judge by.
      folder: for what is kept.
      console: for one line about each that is judged.
      progress: where to show how far it is.

    Raises:
      InputError: the part is empty.
    """

    def __init__(
        self, examples: Path, part: HeldOut, folder: Path, console: Console, progress: Progress
    ) -> None:
        self._judge = Judge(examples, part, progress)
        self._examples = examples
        self._part = part
        self._folder = folder
        self._console = console
        self._progress = progress
        code = [file_digest(path) for pattern in JUDGING for path in sorted(ROOT.glob(pattern))]
        self._key = finished.key(self._judge.schema.digest, *code)

    def compare(self, trained: Sequence[Trained]) -> tuple[Report, list[Kept]]:
        """Judges the models and the peers, unless that was done already.

        Returns:
          the report, the first model first, and how long each took.
        """
        texts = self._texts()
        kinds, notes = self._kinds(texts)
        kept = [each for model in trained for each in self._model(model)]
        kept += [self._peer(kind) for kind in kinds]
        if self._judge.schema.label:
            kept.append(Kept(self._judge.bias(), 0.0))
        return self._judge.report([each.judged for each in kept], texts, notes), kept

    def _texts(self) -> np.ndarray | None:
        schema = self._judge.schema
        if not schema.items.text:
            return None
        path = self._folder / f"texts-{self._key[:16]}.npy"
        if not path.exists():
            content = io.BytesIO()
            np.save(content, read_texts(self._examples, schema, self._progress))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content.getbuffer())
        return np.load(path)

    def _kinds(self, texts: np.ndarray | None) -> tuple[list[Kind], list[str]]:
        judge = self._judge
        usual, notes = usual_peers(judge.users, judge.items, times=judge.times, texts=texts)
        user_ids = read_ids(self._examples, judge.schema.users)
        item_ids = read_ids(self._examples, judge.schema.items)
        return [*usual, ials(judge.users, judge.items), tfrs_tutorial(user_ids, item_ids)], notes

    def _model(self, trained: Trained) -> list[Kept]:
        """What the model serves, and its candidates before ranking."""
        kept = []
        for name, court in (
            (trained.name, self._judge.model),
            (f"{trained.name}, retrieval", self._judge.retrieval),
        ):
            kept.append(self._kept(name, folder_digest(trained.version), _asking(court, name, trained)))
            self._console.print(f"{name}: judged in {kept[-1].seconds:.0f} s")
        return kept

    def _peer(self, kind: Kind) -> Kept:
        kept = self._kept(kind.name, "", lambda: self._judge.peer(kind))
        choice = kept.judged.choice
        if choice is not None:
            settings = ", ".join(f"{name} {value:g}" for name, value in choice.settings.items())
            self._console.print(
                f"{kind.name}: validation NDCG@10 {choice.value:.4f} ({settings or 'nothing to choose'}; "
                f"{len(kept.judged.trials)} tried, {kept.seconds:.0f} s)"
            )
        return kept

    def _kept(self, name: str, what: str, work: Callable[[], Judged]) -> Kept:
        key = finished.key(self._key, self._part, name, what)
        path = self._folder / self._part / f"{name.replace(',', '').replace(' ', '-')}.npz"
        kept = Kept.read(path, key)
        if kept is None:
            begun = time.monotonic()
            judged = work()
            kept = Kept(judged, round(time.monotonic() - begun, 1))
            kept.write(path, key)
        return kept


def _asking(court: Callable[[str, Predictor], Judged], name: str, trained: Trained) -> Callable[[], Judged]:
    def ask() -> Judged:
        with contextlib.closing(LoadedModel(str(trained.version))) as model:
            return court(name, model)

    return ask
