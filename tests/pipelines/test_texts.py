"""The text vectors that lists are measured by and text peers answer with."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.progress import Progress

from pipelines.evaluation import texts
from pipelines.evaluation.texts import read_texts
from preprocessing.schema import Entity, LanguageModel, Schema, Text, TextColumn


def schema(text: Text | None) -> Schema:
    return Schema(
        name="made up",
        items=Entity(id_column="item", vocabulary="i", size=5, first_unseen=5, text=text),
        users=Entity(id_column="user", vocabulary="u", size=3, first_unseen=3),
        split="temporal",
        window=10,
        language_model=LanguageModel(name="tiny", folder="model", vocabulary_size=10, lower_case=True),
        files={},
        counts={},
    )


def test_an_empty_text_has_no_vector(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_bert, tmp_path / "model")
    # [CLS] and [SEP] are 2 and 3; item 3 has no words.
    tokens = np.array([[0] * 4, [0] * 4, [2, 40, 41, 3], [2, 3, 0, 0], [2, 42, 3, 0]])
    monkeypatch.setattr(texts, "read_entities", lambda *_: SimpleNamespace(tokens=tokens))
    text = Text(columns=(TextColumn(name="title"),), max_tokens=4)
    vectors = read_texts(tmp_path, schema(text), Progress(disable=True))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, 0, 1, 0, 1], atol=1e-5)


def test_items_without_texts_are_an_error_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "read_entities", lambda *_: SimpleNamespace(tokens=None))
    with pytest.raises(ValueError, match="no text vectors"):
        read_texts(tmp_path, schema(None), Progress(disable=True))
