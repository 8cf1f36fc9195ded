"""In what runs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipelines.runs.overview import Overview

ABSENT = "-"


def config_differences(runs: Sequence[Overview]) -> dict[str, tuple[str, ...]]:
    """The keys of the config in which runs differ, with each run's value as JSON, or `-` without one."""
    configs = [run.lineage.config for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config)
    values = {
        key: tuple(
            json.dumps(config[key], ensure_ascii=False) if key in config else ABSENT for config in configs
        )
        for key in keys
    }
    return {key: each for key, each in values.items() if len(set(each)) > 1}


def show_comparison(runs: Sequence[Overview], console: Console) -> None:
    """Prints the config's differences and the metrics, those after the first with what they differ by."""
    names = [Text(str(run.folder)) for run in runs]
    differences = config_differences(runs)
    if differences:
        configs = Table("config", *map(Column, names))
        for key, values in differences.items():
            configs.add_row(*map(Text, (key, *values)))
        console.print(configs)
    else:
        console.print("the configs are the same")
    metrics = Table("metric", *(Column(name, justify="right") for name in names))
    for name in dict.fromkeys(name for run in runs for name in run.metrics):
        first = runs[0].metrics.get(name)
        metrics.add_row(name, *(_cell(run, name, None if run is runs[0] else first) for run in runs))
    console.print(metrics if metrics.row_count else "none of them is evaluated")


def _cell(run: Overview, name: str, first: float | None) -> str:
    value = run.metrics.get(name)
    if value is None:
        return ABSENT
    return f"{value:.4f}" if first is None else f"{value:.4f} ({value - first:+.4f})"
