"""The whole benchmark: hold items out, train, add them, ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import finished
from benchmarks.examples import make_examples
from benchmarks.models import Trained, train_and_export
from benchmarks.search_queries.chart import draw
from benchmarks.search_queries.documents import read_documents
from benchmarks.search_queries.found import K
from benchmarks.search_queries.held_out import Tables, write_tables
from benchmarks.search_queries.peers import TextVectors, bm25
from benchmarks.search_queries.queries import Query, draw_queries
from benchmarks.search_queries.record import write_queries, write_record
from benchmarks.search_queries.report import Found, Judge, Latency, Report, count_queries
from benchmarks.search_queries.tables import show
from benchmarks.search_queries.tandem import WARM_UP, TandemSearch, one_interest
from pipelines import index
from pipelines.config import RunConfig
from pipelines.runs.folder import alone
from preprocessing.schema import RESERVED, file_digest
from trainer.progress import Progress
from trainer.version import newest_version

CALLS = 200
"""Single calls that are timed."""


@dataclass(frozen=True)
class Draw:
    """What is held out and asked: so many items and queries, by a seed."""

    held_out: int
    queries: int
    seed: int


class SearchBenchmark:
    """A benchmark and its folder: `tables/`, `examples/`, `trained/`, `model/`, and the results.

    What is finished and whose inputs have not changed is reused.

    Args:
      folder: it is made when it is not there.
      config: of the model.
      epochs: to train for; search needs no behaviour, so few will do.
      drawn: what is asked.
      console: where progress and results are printed.
    """

    def __init__(self, folder: Path, config: RunConfig, epochs: int, drawn: Draw, console: Console) -> None:
        train = config.trainer.train.model_copy(update={"epochs": epochs, "refit": False})
        answers = config.trainer.export.model_copy(update={"k": max(config.trainer.export.k, K)})
        trainer = config.trainer.model_copy(update={"train": train, "export": answers})
        self._config = replace(config, trainer=trainer)
        self._folder = folder
        self._examples = folder / "examples"
        self._drawn = drawn
        self._console = console
        self._progress = Progress(console)

    def execute(self) -> Report:
        """Does what is not finished, prints the tables and writes `search.json` and `search.png`.

        Raises:
          InputError: the config cannot be used.
        """
        with alone(self._folder):
            with self._console.status("holding items out"):
                tables = write_tables(
                    self._config, self._folder / "tables", self._drawn.held_out, self._drawn.seed
                )
            queries = draw_queries(tables.held_out, tables.items, self._drawn.queries, self._drawn.seed)
            write_queries(self._folder / "queries.jsonl", queries)
            make_examples(tables.config, tables.config.name, self._folder, self._console)
            trained = train_and_export(
                tables.config, self._examples, self._folder / "trained", self._progress
            )
            report = self._judge(TandemSearch(self._add(trained, tables)), tables, queries)
            show(report, self._console)
            record, chart = self._folder / "search.json", self._folder / "search.png"
            write_record(record, report, tables.config, trained, self._drawn.seed)
            draw(report, chart)
            self._console.print(f"written: {record}, {chart}", soft_wrap=True)
        return report

    def _add(self, trained: Trained, tables: Tables) -> Path:
        """The version with the held-out items, by `tandem index add`."""
        model = self._folder / "model"
        key = finished.key(file_digest(trained.version / "saved_model.pb"), file_digest(tables.new))
        marker = finished.Marker(self._folder / ".finished" / "add")
        if marker.holds(key) and newest_version(model):
            self._console.print("held-out items: added before, reused")
            return model / str(newest_version(model))
        marker.remove()
        version = index.add(trained.version, tables.new, model, self._console)
        marker.write(key)
        return version

    def _judge(self, tandem: TandemSearch, tables: Tables, queries: Sequence[Query]) -> Report:
        self._console.rule("[bold]search", align="left")
        found = [*self._tandem(tandem, queries), *self._peers(tandem, tables, queries)]
        rows = {name: row for row, name in enumerate(tandem.items)}
        nothing: frozenset[str] = frozenset()
        attributes = [
            tables.items[name].attributes if name in tables.items else nothing for name in tandem.items
        ]
        judge = Judge(queries, np.array([rows[query.item] for query in queries]), attributes)
        with self._progress.bar("Timing single calls", WARM_UP + CALLS) as advance:
            seconds = tandem.latencies([query.text for query in queries], CALLS, advance)
        return Report(
            self._config.name,
            len(tandem.items) - RESERVED,
            len(tables.held_out),
            count_queries(queries),
            sum(bool(query.negated) for query in queries),
            [judge.row(each) for each in found],
            {other.name: judge.differences(found[0], other) for other in found[1:]},
            Latency.of(seconds),
        )

    def _tandem(self, tandem: TandemSearch, queries: Sequence[Query]) -> list[Found]:
        texts = [query.text for query in queries]
        whole = one_interest(texts)
        asked: dict[str, tuple[Callable[..., np.ndarray], Sequence[str]]] = {
            "Tandem": (tandem.search, texts),
            "Tandem, one interest": (tandem.search, whole),
            "Tandem, one vector": (tandem.one_vector, whole),
            "Tandem, negation ignored": (tandem.search, [query.without_negation for query in queries]),
            "Tandem, negated left out": (tandem.search, [query.wanted for query in queries]),
        }
        found = []
        for name, (search, written) in asked.items():
            with self._progress.bar(name, len(queries)) as advance:
                found.append(Found(name, False, search(written, advance)))
        return found

    def _peers(self, tandem: TandemSearch, tables: Tables, queries: Sequence[Query]) -> list[Found]:
        texts = [query.text for query in queries]
        documents = read_documents(self._examples, tandem.items, tables.items)
        vectors = TextVectors(self._examples, documents, self._progress)
        interests = self._config.trainer.search.interests
        return [
            Found("BM25", True, bm25(documents, texts)),
            Found("text vectors", True, vectors.whole(texts)),
            Found("text vectors, interests", True, vectors.interests(texts, interests)),
        ]
