"""Raw tables to `examples/`: checks the inputs, runs the Beam graph, writes what describes the result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from preprocessing.columns import Column
from preprocessing.config import KNOWLEDGE, DataConfig, Entities
from preprocessing.dataflow import check_dataflow
from preprocessing.entities import features_of, vocabulary_file
from preprocessing.graph import Graph
from preprocessing.plan import Plan, make_plan
from preprocessing.runner import run_pipeline, shared_folder, shuffle_beside
from preprocessing.schema import (
    RESERVED,
    SCHEMA_FILE,
    STATISTICS_FILE,
    Entity,
    InputError,
    Label,
    LanguageModel,
    Schema,
    folder_digest,
    whole_folder,
)
from preprocessing.statistics import (
    check_knowledge,
    check_rejected,
    check_training,
    dataset_statistics,
    table_statistics,
    write_statistics,
)
from preprocessing.text import FOLDER, text_of
from preprocessing.write import QUARANTINE_FILE, SUMMARY_FILE, shard_names

WRITTEN = (SCHEMA_FILE, STATISTICS_FILE, "*.tfrecord", "quarantine-*.jsonl", "vocabulary-*.txt", FOLDER)
"""The names of all that stands in a folder of examples."""


def _silent(phase: str) -> None:
    """Takes a phase's name and shows nothing."""


def preprocess(
    config: DataConfig,
    name: str,
    base: Path,
    output: Path,
    workers: int = 1,
    beam_options: Sequence[str] = (),
    progress: Callable[[str], None] = _silent,
) -> Schema:
    """Makes `examples/` from raw tables; the same input gives the same bytes.

    Args:
      config: the `data:` section.
      name: what to call the data set.
      base: the folder where the config's relative paths start.
      output: the folder to write; one that is there is replaced once the new one is whole.
      workers: processes on this machine, unless `beam_options` name another runner.
      beam_options: passed to Beam as they are; with a `--runner` that works on other machines, the
        tables must be where those can read them, and `--temp_location` where they can write.
      progress: told the name of each phase.

    Raises:
      InputError: the tables, the language model or the Beam options cannot be used; `output` is left as
        it was.
    """
    check_dataflow(config, beam_options)
    progress("checking the tables and the language model")
    plan = make_plan(config, base)
    refused = refused_file(output)
    with whole_folder(output, _are_examples) as scratch:
        progress("reading, checking, splitting, tokenising")
        with shared_folder(scratch, beam_options) as root, shuffle_beside(root) as shuffle:
            run_pipeline(lambda pipeline: Graph(pipeline, plan, root, shuffle).lay(), workers, beam_options)
        progress("writing the statistics and the schema")
        summary = json.loads((scratch / SUMMARY_FILE).read_text(encoding="utf-8"))
        (scratch / SUMMARY_FILE).unlink()
        tables = table_statistics(summary["counts"], summary["rejections"])
        try:
            check_rejected(tables, summary["rejections"], config.maximum_rejected, refused)
            check_training(tables, summary["facts"])
            if config.knowledge:
                entities = summary["items"]["values"][KNOWLEDGE]
                check_knowledge(tables, entities, config.knowledge.minimum_items)
        except InputError:
            shutil.copyfile(scratch / QUARANTINE_FILE, refused)
            raise
        write_statistics(scratch, dataset_statistics(tables, summary, plan.has_time, plan.label is not None))
        language_model = plan.language_model.copy_into(scratch) if plan.language_model else None
        schema = _schema(plan, name, summary, language_model, folder_digest(scratch))
        schema.write(scratch)
    refused.unlink(missing_ok=True)  # of an earlier run
    return schema


def _are_examples(folder: Path) -> bool:
    """Whether a folder holds what `preprocess` writes, and nothing else."""
    names = {path.name for path in folder.iterdir()}
    known = {name for name in names if any(fnmatch(name, pattern) for pattern in WRITTEN)}
    return names == known and {SCHEMA_FILE, STATISTICS_FILE} <= names


def refused_file(output: Path) -> Path:
    """Where the rejected rows are left when there were too many of them to write `output`."""
    return output.with_name(f"{output.name}.quarantine.jsonl")


def _schema(
    plan: Plan, name: str, summary: Mapping[str, Any], language_model: LanguageModel | None, digest: str
) -> Schema:
    config = plan.config
    max_tokens = config.language_model.max_tokens
    label = None
    if plan.label is not None:
        minimum, maximum = summary["facts"]["label_range"]
        label = Label(name=plan.label, minimum=minimum, maximum=maximum)
    return Schema(
        name=name,
        items=_entity("items", config.items, config.item_columns, summary["items"], max_tokens),
        users=_entity("users", config.users, config.user_columns, summary["users"], max_tokens),
        label=label,
        split=config.split.kind,
        window=config.window,
        language_model=language_model,
        files=shard_names(plan.shards),
        counts=summary["examples"],
        digest=digest,
    )


def _entity(
    name: str,
    table: Entities | None,
    columns: Mapping[str, Column],
    found: Mapping[str, Any],
    max_tokens: int,
) -> Entity:
    return Entity(
        id_column=f"{name.removesuffix('s')}_id",
        vocabulary=vocabulary_file(name),
        size=found["size"] + RESERVED,
        first_unseen=found["first_unseen"],
        display=table.display_column if table else None,
        text=text_of(columns, max_tokens),
        features=features_of(name, columns, found["values"]),
    )
