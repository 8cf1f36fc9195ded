"""A small world to compare models in: two tastes, and items that come up late."""

from pathlib import Path

import numpy as np
import pytest
import yaml

TASTES = ("red lipstick cream", "rock guitar music")
ITEMS_A_TASTE = 15
LATE_ITEMS = 3
"""The last items of each taste, which nobody has before the cut."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """The folder of a config `shop.yaml` and its tables: clicks of 60 people, most within one taste."""
    folder = tmp_path_factory.mktemp("shop")
    generator = np.random.default_rng(0)
    rows = ["user\titem\ttime"]
    for user in range(60):
        early = 12 * (user % 2 + 1) - 12 + generator.permutation(12)[:9]
        late = ITEMS_A_TASTE * 2 - LATE_ITEMS * (2 - user % 2) + generator.permutation(LATE_ITEMS)[:2]
        items = [*(f"early{item}" for item in early), *(f"late{item}" for item in late)]
        rows += [f"user{user}\t{item}\t{60 * place + user}" for place, item in enumerate(items)]
    (folder / "clicks.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    names = [(f"early{item}", item // 12) for item in range(24)]
    names += [(f"late{item}", (item - 24) // LATE_ITEMS) for item in range(24, 30)]
    titles = ["item\ttitle", *(f"{name}\t{TASTES[taste]} {name[-1]}" for name, taste in names)]
    (folder / "items.tsv").write_text("\n".join(titles) + "\n", encoding="utf-8")
    config = {
        "name": "hybrid",
        "data": {
            "interactions": {
                "path": "clicks.tsv",
                "columns": {
                    "user_id": {"kind": "id", "source": "user"},
                    "item_id": {"kind": "id", "source": "item"},
                    "time": {"kind": "time", "unit": "s"},
                },
            },
            "items": {
                "path": "items.tsv",
                "columns": {"item_id": {"kind": "id", "source": "item"}, "title": {"kind": "text"}},
            },
            "split": {"kind": "temporal", "validation": 0.15, "test": 0.2},
            "language_model": {"path": str(tiny_bert), "max_tokens": 16},
        },
        "model": {"dimension": 16, "history": 10, "blocks": 1},
        "train": {"epochs": 2, "batch_size": 32},
        "export": {"k": 20, "candidates": 20},
    }
    (folder / "shop.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder
