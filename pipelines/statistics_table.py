"""Shows people what preprocessing kept and left out."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from preprocessing.schema import STATISTICS_FILE


def show_statistics(examples: Path, console: Console) -> None:
    """Prints how many rows of each table were kept, why the others were not, and what there is now."""
    statistics = json.loads((examples / STATISTICS_FILE).read_text(encoding="utf-8"))
    rows = Table()
    for heading in ("table", "read", "kept", "quarantined", "filtered"):
        rows.add_column(heading, justify="left" if heading == "table" else "right")
    for table, counts in statistics["tables"].items():
        rows.add_row(
            table, *(f"{counts[column]:,}" for column in ("read", "kept", "quarantined", "filtered"))
        )
    console.print(rows)
    for table, counts in statistics["tables"].items():
        for what in ("quarantined_by_reason", "filtered_by_rule"):
            for reason, number in counts[what].items():
                console.print(
                    f"{table}: {number:,} {what.split('_')[0]}: {reason}", markup=False, highlight=False
                )
    parts = ", ".join(f"{part} {number:,}" for part, number in statistics["interactions"].items())
    console.print(
        f"{statistics['items']:,} items ({statistics['unseen_items']:,} unseen), "
        f"{statistics['users']:,} users, interactions: {parts}",
        highlight=False,
    )
    console.print(
        f"written to {examples}; rejected rows are in {examples}/quarantine-*.jsonl",
        markup=False,
        soft_wrap=True,
    )
