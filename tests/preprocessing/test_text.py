"""Texts are joined by the schema's rule and tokenised as the language model expects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from preprocessing.config import Entities, LanguageModelSource
from preprocessing.schema import InputError, Text, TextColumn, parse
from preprocessing.text import Tokenizer, find_language_model, join_text, text_of


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Heat", "Crime|Drama"], "Heat. Crime, Drama"),
        (["  Heat ", " Crime | |Drama "], "Heat. Crime, Drama"),
        (["", "Crime"], "Crime"),
        (["Heat", ""], "Heat"),
        (["Heat", "|"], "Heat"),
        ([" ", ""], ""),
        (["two  words\nand a line", ""], "two  words\nand a line"),
        (["\u00a0Heat\u3000", ""], "\u00a0Heat\u3000"),  # tf.strings.strip leaves these as well
    ],
)
def test_join(cells: list[str], expected: str) -> None:
    text = Text(columns=(TextColumn(name="title"), TextColumn(name="genres", separator="|")), max_tokens=8)
    assert join_text(text, cells) == expected


def test_joined_columns_stand_in_the_configs_order() -> None:
    columns = {
        "year": {"kind": "categorical", "in_text": True},
        "item_id": {"kind": "id"},
        "title": {"kind": "text"},
        "genres": {"kind": "multi", "separator": ";"},
    }
    table = parse(Entities, {"path": "items.csv", "columns": columns}, "items")
    assert text_of(table.columns, 9) == Text(
        columns=(TextColumn(name="year"), TextColumn(name="title")), max_tokens=9
    )
    bare = parse(Entities, {"path": "items.csv", "columns": {"item_id": {"kind": "id"}}}, "items")
    assert text_of(bare.columns, 9) is None


def test_tokens(tiny_bert: Path) -> None:
    model = find_language_model(LanguageModelSource(path=str(tiny_bert)), Path())
    tokenize = Tokenizer(model.vocabulary, lower_case=True, max_tokens=5)
    tokens = [
        [model.vocabulary[token] for token in ids]
        for ids in tokenize(["Toy story", "", "爱情", "a b c d e f"])
    ]
    assert tokens == [
        ["[CLS]", "toy", "story", "[SEP]"],
        ["[CLS]", "[SEP]"],
        ["[CLS]", "爱", "情", "[SEP]"],
        ["[CLS]", "a", "b", "c", "[SEP]"],
    ]
    assert tokenize([]) == []


def test_case_is_kept_when_the_model_says_so(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cased"
    shutil.copytree(tiny_bert, folder)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    model = find_language_model(LanguageModelSource(path="cased"), tmp_path)
    assert (model.name, model.lower_case) == ("cased", False)
    (tmp_path / "examples").mkdir()
    described = model.copy_into(tmp_path / "examples")
    assert described.folder == "language_model"
    assert sorted(path.name for path in (tmp_path / "examples/language_model").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ]


def test_folders_that_cannot_be_used(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    config = json.loads((folder / "config.json").read_text())

    def message(max_tokens: int = 32) -> str:
        with pytest.raises(InputError) as error:
            find_language_model(LanguageModelSource(path="model", max_tokens=max_tokens), tmp_path)
        return str(error.value)

    assert "max_tokens is 200, but the model has only 128 positions" in message(200)
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    assert "model_type in config.json must be 'bert' (found 'gpt2')" in message()
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 7}))
    assert "lines, but vocab_size in config.json is 7" in message()
    (folder / "vocab.txt").write_text("a\n")
    assert "vocab.txt lacks [PAD], [UNK], [CLS], [SEP]" in message()
    (folder / "vocab.txt").write_bytes(b"\xff\n")
    assert "vocab.txt" in message()
    (folder / "model.safetensors").unlink()
    (folder / "vocab.txt").unlink()
    assert message().endswith("has no vocab.txt, model.safetensors or tf_model.h5")
