"""A small project of tables in a folder, and its preprocessing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from preprocessing.batches import InteractionBatch
from preprocessing.config import DataConfig
from preprocessing.pipeline import preprocess
from preprocessing.schema import Part, Schema, parse, read_vocabulary
from preprocessing.schema.examples import feature_spec

IDS = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}
INTERACTIONS = {**IDS, "rating": {"kind": "label"}, "time": {"kind": "time"}}


def batch_of(rows: Sequence[tuple[str, str, int, float, tuple[str, ...], int]]) -> InteractionBatch:
    """Turns rows (user, item, time, label, texts, place) into columns."""
    return InteractionBatch.of_columns(*(zip(*rows, strict=True) if rows else [()] * 6))


@dataclass(frozen=True)
class Examples:
    """A finished output folder, in plain Python."""

    folder: Path
    schema: Schema

    @property
    def statistics(self) -> dict[str, Any]:
        return json.loads((self.folder / "statistics.json").read_text(encoding="utf-8"))

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        lines = (self.folder / "quarantine-00000-of-00001.jsonl").read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(row["line"], row["reason"]) for row in self.quarantine]

    def part(self, part: Part) -> list[dict[str, Any]]:
        """Parses the Examples in file order, ragged features as lists and others as values."""
        spec = feature_spec(self.schema, part)
        rows = []
        for name in self.schema.files[part]:
            for record in tf.data.TFRecordDataset(str(self.folder / name)):
                parsed = tf.io.parse_single_example(record, spec)
                rows.append({key: value.numpy() for key, value in parsed.items()})
        return [{key: _plain(value) for key, value in row.items()} for row in rows]

    def ids(self, name: str) -> list[str]:
        """The ids of `items` or `users` by index."""
        return ["", "?", *read_vocabulary(self.folder / getattr(self.schema, name).vocabulary)]

    def sequences(self, part: Part, feature: str = "item") -> dict[str, list[str]]:
        """Each user's items in a part, as ids; windows of one user are joined."""
        users, items = self.ids("users"), self.ids("items")
        found: dict[str, list[str]] = {}
        for row in self.part(part):
            user = row["user" if "user" in row else "index"]
            found.setdefault(users[user], []).extend(items[index] for index in row[feature])
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value.tolist()


@dataclass(frozen=True)
class Project:
    """A folder with tables."""

    folder: Path
    language_model: Path

    @property
    def output(self) -> Path:
        return self.folder / "examples"

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def config(self, interactions: Mapping[str, Any] | None = None, **data: Any) -> DataConfig:
        table = {"path": "interactions.csv", "columns": INTERACTIONS} | dict(interactions or {})
        data.setdefault("language_model", {"path": str(self.language_model), "max_tokens": 12})
        data.setdefault("maximum_rejected", 0.9)
        return parse(DataConfig, {"interactions": table, **data}, "data")

    def preprocess(
        self,
        interactions: Mapping[str, Any] | None = None,
        workers: int = 1,
        beam_options: Sequence[str] = (),
        **data: Any,
    ) -> Examples:
        config = self.config(interactions, **data)
        schema = preprocess(config, "test", self.folder, self.output, workers, beam_options)
        return Examples(self.output, schema)


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Callable[[], Project]:
    return lambda: Project(tmp_path_factory.mktemp("project"), tiny_bert)


@pytest.fixture
def project(make_project: Callable[[], Project]) -> Project:
    return make_project()
