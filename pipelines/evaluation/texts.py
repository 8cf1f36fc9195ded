"""The frozen language model's text vectors: the same yardstick for every model that is compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.progress import Progress

from preprocessing.schema import Schema
from trainer.dataset import read_entities
from trainer.language_model.bert import LanguageModel
from trainer.language_model.table import count_texts, encode_table


def read_texts(examples: Path, schema: Schema, progress: Progress) -> np.ndarray:
    """Reads every item's text with the language model as it came, all its layers, untuned.

    Returns:
      `[N, H]`, of length 1, or 0 for an item without a text.

    Raises:
      ValueError: the items have no text.
    """
    tokens = read_entities(examples, schema, "items").tokens
    if tokens is None or schema.language_model is None:
        raise ValueError("items without texts have no text vectors")
    model = LanguageModel(examples / schema.language_model.folder, None)
    task = progress.add_task("reading texts", total=count_texts(tokens))
    return encode_table(model, tokens, lambda count: progress.advance(task, count))
