"""Trains, exports and measures the variants."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.compressed.measuring import found, measure, tuned_weights
from benchmarks.compressed.report import Row, draw, table, write_record
from benchmarks.compressed.timed import TimedProgress
from benchmarks.compressed.variants import Variant, indexes, named, variants
from benchmarks.examples import make_examples
from benchmarks.models import train_and_export
from pipelines.config import RunConfig
from trainer.progress import Progress
from trainer.rebuild import reindex
from trainer.version import Version, newest_version

INDEXES = "indexes"


def compare(config: Path, output: Path, epochs: int, groups: Sequence[str], console: Console) -> list[Row]:
    """Measures the base and the variants of the groups, and writes `compression.json` and `.png`.

    Raises:
      InputError: the config cannot be used.
    """
    run = RunConfig.read(config)
    output.mkdir(parents=True, exist_ok=True)
    examples = make_examples(run, run.name, output, console)
    trained = variants(run, [group for group in groups if group != INDEXES], epochs)
    rows = [_trained(run, variant, examples, output, console) for variant in trained]
    if INDEXES in groups:
        rows += _indexed(_folder(output, trained[0]), examples, output, console)
    title = f"{run.name}, {epochs} epochs each"
    console.print(table(rows, title))
    write_record(output / "compression.json", rows, str(config), epochs)
    draw(rows, output / "compression.png", title)
    console.print(f"written: {output / 'compression.json'}, {output / 'compression.png'}", soft_wrap=True)
    return rows


def _folder(output: Path, variant: Variant) -> Path:
    return output / "models" / variant.name.replace(",", "").replace(" ", "-")


def _trained(run: RunConfig, variant: Variant, examples: Path, output: Path, console: Console) -> Row:
    console.rule(f"[bold]{variant.name}", align="left")
    progress = TimedProgress(console)
    model = train_and_export(named(run, variant), examples, _folder(output, variant), progress)
    measured = measure(model.version, examples)
    return Row(
        group=variant.group,
        name=variant.name,
        ndcg=model.result.ndcg,
        recall=None,
        epoch_seconds=progress.epoch_seconds,
        tuned_weights=tuned_weights(examples, variant.config.model.language_model),
        megabytes=measured.megabytes,
        texts_a_second=measured.texts_a_second,
        milliseconds=measured.milliseconds,
    )


def _indexed(base: Path, examples: Path, output: Path, console: Console) -> list[Row]:
    version = Version.read(base / "model" / str(newest_version(base / "model")))
    folder, rows = output / "indexes", []
    shutil.rmtree(folder, ignore_errors=True)
    exact: list[set[bytes]] = []
    for name, config in indexes(version.details.export).items():
        built = reindex(version, config, folder, Progress(console))
        answers, measured = found(built, examples), measure(built, examples)
        exact = exact or answers
        hits = [len(answer & best) / max(1, len(best)) for answer, best in zip(answers, exact, strict=True)]
        rows.append(
            Row(
                group=INDEXES,
                name=f"index: {name}",
                ndcg=None,
                recall=sum(hits) / len(hits),
                epoch_seconds=None,
                tuned_weights=0,
                megabytes=measured.megabytes,
                texts_a_second=None,
                milliseconds=measured.milliseconds,
            )
        )
    return rows
