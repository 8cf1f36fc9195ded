"""A tiny split that is written out by hand, and a model that answers it from a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import Entity, Label, Schema, write_vocabulary
from preprocessing.schema.serialized import serialize

ITEMS = ["apple", "bean", "corn", "date", "elder", "größe"]  # indices 2 to 7
USERS = ["ann", "bob", "cat"]  # indices 2 to 4
TRAIN = [
    {"user": 2, "item": [4, 5], "label": [3.0, 4.0], "time": [3, 4], "start": 2},
    {"user": 2, "item": [2, 3], "label": [1.0, 5.0], "time": [1, 2], "start": 0},
    {"user": 3, "item": [2, 4], "label": [2.0, 4.0], "time": [1, 2], "start": 0},
]
VALIDATION = [{"user": 2, "history": [2, 3, 4, 5], "item": [6], "label": [2.0], "time": [5]}]
TEST = [
    {"user": 2, "history": [2, 3, 4, 5, 6], "item": [7], "label": [5.0], "time": [6]},
    {"user": 3, "history": [2, 4], "item": [3, 6, 3], "label": [1.0, 4.0, 2.0], "time": [3, 4, 5]},
    {"user": 4, "history": [], "item": [2], "label": [3.0], "time": [9]},
]


def write_examples(folder: Path, labels: bool = True, test: Sequence[Mapping[str, Any]] = TEST) -> Schema:
    folder.mkdir(exist_ok=True)
    parts = {"items": [], "users": [], "train": TRAIN, "validation": VALIDATION, "test": test}
    for name, rows in parts.items():
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for row in rows:
                kept = {key: [] if key == "label" and not labels else value for key, value in row.items()}
                scalars = {key: [kept[key]] for key in ("user", "start") if key in kept}
                writer.write(serialize(kept | scalars))
    write_vocabulary(folder / "items.txt", ITEMS)
    write_vocabulary(folder / "users.txt", USERS)
    schema = Schema(
        name="groceries",
        items=Entity(id_column="item_id", vocabulary="items.txt", size=8, first_unseen=7),
        users=Entity(id_column="user_id", vocabulary="users.txt", size=5, first_unseen=4),
        label=Label(name="rating", minimum=1, maximum=5) if labels else None,
        split="temporal",
        window=2,
        files={name: (name,) for name in parts},
        counts={name: len(rows) for name, rows in parts.items()},
    )
    schema.write(folder)
    return schema


class TableModel:
    """Answers the signatures from one score an item id, and remembers what it was asked."""

    def __init__(
        self, scores: Mapping[str, float], k: int = 100, obeys: bool = True, knows: bool = True
    ) -> None:
        self.scores = {name.encode(): score for name, score in scores.items()}
        self.k = k
        self.obeys = obeys
        self.knows = knows
        self.users: list[bytes] = []

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        if signature == "describe":
            return {
                "title": np.array([item.title() if self.knows else b"" for item in inputs["item_id"]], object)
            }
        self.users += list(inputs["user_id"])
        if signature == "rank":
            values = np.vectorize(lambda item: self.scores.get(item, -9.0))(inputs["candidate_id"])
            answer = {"score": values, "retrieved": values, "rating": values}
        else:
            rows = [self._list(set(row) if self.obeys else set()) for row in inputs["exclude"]]
            answer = {
                "item_id": np.array([[item for item, _ in row] for row in rows], dtype=object),
                "score": np.array([[score for _, score in row] for row in rows], np.float32),
                "because": np.array([[self._newest(past)] * self.k for past in inputs["history"]], object),
            }
        return {name: answer[name] for name in outputs or answer}

    @staticmethod
    def _newest(history: np.ndarray) -> bytes:
        known = [item for item in history if item]
        return known[-1] if known else b""

    def _list(self, excluded: set[bytes]) -> list[tuple[bytes, float]]:
        kept = [(item, score) for item, score in self.scores.items() if item not in excluded]
        kept = sorted(kept, key=lambda pair: -pair[1])[: self.k]
        return kept + [(b"", -1e38)] * (self.k - len(kept))
