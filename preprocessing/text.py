"""Joins cells into one text and cuts it into the language model's tokens."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import BertWordPieceTokenizer

from preprocessing.assets import resolve_path
from preprocessing.columns import Column, MultiColumn, ReviewColumn, in_text
from preprocessing.config import LanguageModelSource
from preprocessing.hub import HUB, fetch_from_hub
from preprocessing.rows import WHITESPACE
from preprocessing.schema import InputError, LanguageModel, Text, TextColumn, read_mapping

FOLDER = "language_model"
NEEDED = ("config.json", "vocab.txt")
WEIGHTS = ("model.safetensors", "tf_model.h5")
"""One of them is enough; the first that is there is taken."""
OPTIONAL = ("tokenizer_config.json",)


def text_of(columns: Mapping[str, Column], max_tokens: int) -> Text | None:
    """Describes how columns join into a text in their order, None when there is none of text."""
    parts = [
        TextColumn(
            name=name,
            separator=column.separator if isinstance(column, MultiColumn | ReviewColumn) else None,
        )
        for name, column in columns.items()
        if in_text(column)
    ]
    return Text(columns=tuple(parts), max_tokens=max_tokens) if parts else None


def join_text(text: Text, cells: Sequence[str]) -> str:
    """Joins the cells of `text.columns`, in that order, by the rule that `Text` states."""
    parts = []
    for column, cell in zip(text.columns, cells, strict=True):
        if column.separator:
            values = (value.strip(WHITESPACE) for value in cell.split(column.separator))
            cell = ", ".join(value for value in values if value)
        parts.append(cell.strip(WHITESPACE))
    return ". ".join(part for part in parts if part)


@dataclass(frozen=True)
class LanguageModelFolder:
    """A checked folder with a BERT checkpoint."""

    name: str
    path: Path
    vocabulary: tuple[str, ...]
    lower_case: bool

    def copy_into(self, examples: Path) -> LanguageModel:
        """Copies what the trainer needs beside the Examples."""
        target = examples / FOLDER
        target.mkdir()
        weights = next(name for name in WEIGHTS if (self.path / name).is_file())
        for name in (*NEEDED, weights, *OPTIONAL):
            if (self.path / name).exists():
                shutil.copyfile(self.path / name, target / name)
        return LanguageModel(
            name=self.name, folder=FOLDER, vocabulary_size=len(self.vocabulary), lower_case=self.lower_case
        )


def find_language_model(source: LanguageModelSource, base: Path) -> LanguageModelFolder:
    """Finds and checks the language model.

    Raises:
      InputError: a file is missing, the checkpoint is no BERT, or its parts do not fit together.
    """
    where = f"language_model: {source.path}"
    folder = (
        fetch_from_hub(source.path) if source.path.startswith(HUB) else Path(resolve_path(source.path, base))
    )
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in WEIGHTS):
        missing.append(" or ".join(WEIGHTS))
    if missing:
        raise InputError(f"{where}: the folder {folder} has no {', '.join(missing)}")
    config = read_mapping(folder / "config.json")
    if config.get("model_type") != "bert":
        raise InputError(
            f"{where}: model_type in config.json must be 'bert' (found {config.get('model_type')!r})"
        )
    vocabulary = _read_vocabulary(folder / "vocab.txt", where)
    if len(vocabulary) != config.get("vocab_size"):
        raise InputError(
            f"{where}: vocab.txt has {len(vocabulary)} lines, but vocab_size in config.json is "
            f"{config.get('vocab_size')}"
        )
    positions = config.get("max_position_embeddings", 512)
    if source.max_tokens > positions:
        raise InputError(
            f"{where}: max_tokens is {source.max_tokens}, but the model has only {positions} positions"
        )
    tokenizer = folder / "tokenizer_config.json"
    lower_case = read_mapping(tokenizer).get("do_lower_case", True) if tokenizer.exists() else True
    name = source.path.removeprefix("asset://").rstrip("/").rsplit("/", 1)[-1].partition("@")[0]
    return LanguageModelFolder(name, folder, tuple(vocabulary), bool(lower_case))


def _read_vocabulary(path: Path, where: str) -> list[str]:
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: vocab.txt: {error}") from None
    tokens = [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
    absent = [token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if token not in tokens]
    if absent:
        raise InputError(f"{where}: vocab.txt lacks {', '.join(absent)}")
    return tokens


class Tokenizer:
    """BERT's word pieces, `[CLS]` and `[SEP]` included.

    Args:
      vocabulary: the tokens in the order of their ids.
    """

    def __init__(self, vocabulary: Sequence[str], lower_case: bool, max_tokens: int):
        numbers = {token: number for number, token in enumerate(vocabulary)}
        self._tokenizer = BertWordPieceTokenizer(numbers, lowercase=lower_case)
        self._tokenizer.enable_truncation(max_tokens)

    def __call__(self, texts: list[str]) -> list[list[int]]:
        """Gives the token ids of each text, at most `max_tokens` of them."""
        return [encoded.ids for encoded in self._tokenizer.encode_batch(texts)]
