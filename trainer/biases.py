"""Mean label, and how far each user and each item departs from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preprocessing.schema import Schema
from preprocessing.schema.examples import read_batches

SHRINKAGE = 5.0
"""Acts like so many interactions with no departure at all (Koren, Bell & Volinsky 2009)."""
ROUNDS = 10


@dataclass(frozen=True)
class LabelBiases:
    """`label ~ mean + deviation * (users[u] + items[i])`; arrays by index, 0 where nothing is known.

    Attributes:
      mean, deviation: of the labels; a deviation of 0 is given as 1.
    """

    mean: float
    deviation: float
    users: np.ndarray
    items: np.ndarray


def label_biases(examples: Path, schema: Schema) -> LabelBiases:
    """Fits mean and biases on the training interactions by alternating regularised means."""
    users, items, labels = [], [], []
    for batch in read_batches(examples, schema, "train"):
        users.append(np.repeat(batch["user"].numpy(), batch["item"].row_lengths().numpy()))
        items.append(batch["item"].values.numpy())
        labels.append(batch["label"].values.numpy())
    user, item = np.concatenate(users), np.concatenate(items)
    label = np.concatenate(labels).astype(np.float64)
    mean, deviation = float(label.mean()), float(label.std()) or 1.0
    label = (label - mean) / deviation
    user_bias, item_bias = np.zeros(schema.users.size), np.zeros(schema.items.size)
    user_count = np.bincount(user, minlength=len(user_bias)) + SHRINKAGE
    item_count = np.bincount(item, minlength=len(item_bias)) + SHRINKAGE
    for _ in range(ROUNDS):
        item_bias = np.bincount(item, label - user_bias[user], len(item_bias)) / item_count
        user_bias = np.bincount(user, label - item_bias[item], len(user_bias)) / user_count
    return LabelBiases(mean, deviation, user_bias.astype(np.float32), item_bias.astype(np.float32))
