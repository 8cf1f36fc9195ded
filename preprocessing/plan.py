"""A config whose inputs were found and checked, before any work begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preprocessing.columns import LabelColumn, TimeColumn
from preprocessing.config import DataConfig
from preprocessing.schema import InputError
from preprocessing.sources import Source, find_source
from preprocessing.text import LanguageModelFolder, find_language_model

SHARD_BYTES = 64 * 2**20
PARTITION_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Plan:
    """What the pipeline works on.

    Attributes:
      shards: the files of each part: one for each 64 MiB of input.
      partitions: users, and items likewise, are worked on in so many groups: one for each 4 MiB.
        Neither depends on the number of workers, so the output does not either.
    """

    config: DataConfig
    interactions: Source
    items: Source | None
    users: Source | None
    triples: Source | None
    links: Source | None
    language_model: LanguageModelFolder | None
    shards: int
    partitions: int

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every table that is read."""
        tables = (self.interactions, self.items, self.users, self.triples, self.links)
        return tuple(table for table in tables if table is not None)

    @property
    def label(self) -> str | None:
        """The column of labels, if there is one."""
        columns = self.interactions.columns.items()
        return next((name for name, column in columns if isinstance(column, LabelColumn)), None)

    @property
    def has_time(self) -> bool:
        """Whether interactions have a time."""
        return any(isinstance(column, TimeColumn) for column in self.interactions.columns.values())


def make_plan(config: DataConfig, base: Path) -> Plan:
    """Finds and checks the tables and the language model.

    Raises:
      InputError: everything that is wrong with them, one line a problem.
    """
    problems: list[str] = []
    sources: dict[str, Source] = {}
    for name, (table, columns) in config.tables.items():
        try:
            sources[name] = find_source(name, table, columns, base)
        except InputError as error:
            problems.append(str(error))
    language_model = None
    try:
        language_model = (
            find_language_model(config.language_model, base) if config.needs_language_model else None
        )
    except InputError as error:
        problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    size = sum(file.size for source in sources.values() for file in source.files)
    return Plan(
        config,
        sources["interactions"],
        sources.get("items"),
        sources.get("users"),
        sources.get("triples"),
        sources.get("links"),
        language_model,
        shards=max(1, -(-size // SHARD_BYTES)),
        partitions=max(1, -(-size // PARTITION_BYTES)),
    )
