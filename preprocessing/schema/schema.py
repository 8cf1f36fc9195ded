"""schema.json: the one description of `examples/` that every later step reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pydantic

from preprocessing.schema.documents import Document, parse
from preprocessing.schema.errors import InputError

PADDING = 0
UNKNOWN = 1
RESERVED = 2
"""Index 0 is padding and 1 is 'unknown'; real values start at 2."""

SCHEMA_FILE = "schema.json"
STATISTICS_FILE = "statistics.json"

Part = Literal["items", "users", "train", "validation", "test"]
PARTS: tuple[Part, ...] = ("items", "users", "train", "validation", "test")


class Feature(Document):
    """An attribute of items or users.

    Attributes:
      kind: `categorical` (one value), `multi` (several), `numeric` (one float, not normalised) or
        `vector` (a float vector of fixed `length`).
      vocabulary: for categorical and multi, the file of values relative to the examples folder.
      size: for categorical and multi, the number of indices, the two reserved ones included.
      separator: for multi, what stands between two values in a raw cell.
    """

    name: str
    kind: Literal["categorical", "multi", "numeric", "vector"]
    vocabulary: str | None = None
    size: int = 0
    length: int = 1
    separator: str | None = None


class TextColumn(Document):
    """A raw column that becomes part of the text; `separator` splits a cell of several values.

    Reviews are such values, newest first, with a line feed between them.
    """

    name: str
    separator: str | None = None


class Text(Document):
    """How raw columns join into the one text that the language model reads.

    Cells are stripped, empty ones left out, several values of one cell joined with `", "` and the
    columns with `". "`. Token ids include the special tokens and end after `max_tokens`.
    """

    columns: tuple[TextColumn, ...]
    max_tokens: int


class Entity(Document):
    """Items or users: their ids, attributes and text.

    Attributes:
      id_column: the raw id column's name.
      vocabulary: the file of ids relative to the examples folder; line n (from 0) is index n + 2.
      size: the number of indices, the two reserved ones included.
      first_unseen: indices from here on have no training interaction.
      display: the raw column that names the entity to people, if there is one.
      columns: every raw column that a feature or the text is made of.
    """

    id_column: str
    vocabulary: str
    size: int
    first_unseen: int
    display: str | None = None
    text: Text | None = None
    features: tuple[Feature, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that features and text are made of, each once, in a stable order."""
        names = [column.name for column in self.text.columns] if self.text else []
        names += [feature.name for feature in self.features]
        return tuple(dict.fromkeys(names))


class Label(Document):
    """What an interaction was worth, for example a rating; the range is that of the kept rows."""

    name: str
    minimum: float
    maximum: float


class LanguageModel(Document):
    """The language model that the token ids belong to; `folder` is relative to the examples folder."""

    name: str
    folder: str
    vocabulary_size: int
    lower_case: bool


class Schema(Document):
    """Everything a later step needs to know about `examples/`.

    Attributes:
      window: the most interactions that one training Example holds.
      files: the TFRecord files of each part, relative to the examples folder.
      counts: the number of Examples of each part.
      digest: SHA-256 over every other file of the examples folder.
    """

    format_version: Literal[1] = 1
    name: str
    items: Entity
    users: Entity
    label: Label | None = None
    split: Literal["leave_last", "temporal", "random"]
    window: int
    language_model: LanguageModel | None = None
    files: dict[Part, tuple[str, ...]]
    counts: dict[Part, int]
    digest: str = ""

    @pydantic.model_validator(mode="after")
    def _text_needs_a_language_model(self) -> Schema:
        if (self.items.text or self.users.text) and self.language_model is None:
            raise ValueError("a text needs a language_model")
        return self

    def write(self, folder: Path) -> None:
        """Writes schema.json into the examples folder, keys in a fixed order."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (folder / SCHEMA_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Schema:
        """Reads the schema of an examples folder.

        Raises:
          InputError: the folder holds no finished examples, or a schema of another version.
        """
        path = folder / SCHEMA_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"{folder}: no {SCHEMA_FILE} here, so these are no finished examples; "
                "make them with `tandem preprocess`"
            ) from None
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON: {error}") from None
        return parse(cls, values, str(path))


def read_vocabulary(path: Path) -> list[str]:
    """Reads a vocabulary file: the value of index n + 2 stands on line n (from 0)."""
    # Not splitlines(): a value may hold what only Unicode takes for a line break.
    with path.open(encoding="utf-8", newline="\n") as stream:
        return [line.removesuffix("\n") for line in stream]


def write_vocabulary(path: Path, values: list[str]) -> None:
    """Writes one value a line, in index order; values never hold a line feed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{value}\n" for value in values), encoding="utf-8", newline="\n")
