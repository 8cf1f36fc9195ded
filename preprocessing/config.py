"""The dataset config: where the tables are and what becomes of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from preprocessing.columns import (
    Column,
    EntityColumn,
    IdColumn,
    InteractionColumn,
    LabelColumn,
    MultiColumn,
    Name,
    ReviewColumn,
    TextColumn,
    TimeColumn,
    in_text,
)
from preprocessing.schema import Document, InputError, parse, read_config_mapping

KNOWLEDGE = "knowledge"
"""The item attribute that knowledge triples become."""


class Table(Document):
    """Where a table is and how it is written.

    Attributes:
      path: a file, a glob, any path that Beam reads (`gs://…`), or `asset://NAME/FILE`; a relative
        path starts at the config's folder.
      format: from the file's ending when not given; `.gz` is unpacked.
      delimiter: for csv and tsv; a comma or a tab when not given.
      quote: for csv and tsv; null switches quoting off.
      header: for csv and tsv without a header line, the columns' names in order.
    """

    path: str
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None
    delimiter: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1)] | None = '"'
    encoding: str = "utf-8"
    header: tuple[str, ...] | None = None

    @pydantic.field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(
                f"{value!r} is no encoding that Python knows; for example utf-8, latin-1, gb18030"
            ) from None
        return value

    @property
    def resolved_format(self) -> str:
        """The format, taken from the path's ending when it was not given."""
        if self.format:
            return self.format
        suffix = Path(re.sub(r"\.gz$", "", self.path)).suffix.lstrip(".").lower()
        return {"csv": "csv", "tsv": "tsv", "txt": "tsv", "jsonl": "jsonl", "parquet": "parquet"}.get(
            suffix, ""
        )

    @pydantic.model_validator(mode="after")
    def _format_is_known(self) -> Table:
        if not self.resolved_format:
            raise ValueError(
                f"cannot tell the format of {self.path!r} by its ending; "
                "give format: csv, tsv, jsonl or parquet"
            )
        return self


class Interactions(Table):
    """The table of interactions: `user_id` and `item_id` always, at most one time and one label.

    Attributes:
      reviews: of the training interactions that hold text, so many of the newest join the text of an
        item, and as many that of a user; ties in time take the later row first.
    """

    columns: dict[Name, InteractionColumn]
    reviews: pydantic.PositiveInt = 10

    @pydantic.field_validator("columns")
    @classmethod
    def _columns(cls, columns: dict[str, Column]) -> dict[str, Column]:
        ids = {name for name, column in columns.items() if isinstance(column, IdColumn)}
        if ids != {"user_id", "item_id"}:
            found = ", ".join(sorted(ids)) or "none"
            raise ValueError(f"the columns of kind id must be user_id and item_id (found {found})")
        for kind in (TimeColumn, LabelColumn):
            names = [name for name, column in columns.items() if isinstance(column, kind)]
            if len(names) > 1:
                raise ValueError(f"at most one column of this kind is allowed (found {', '.join(names)})")
        return columns

    @property
    def review_columns(self) -> dict[str, ReviewColumn]:
        """The columns of text, in the config's order."""
        return {name: column for name, column in self.columns.items() if isinstance(column, ReviewColumn)}


class Entities(Table):
    """A table of items or users.

    Attributes:
      display: the column that names an entity to people; the first text column when not given.
    """

    columns: dict[Name, EntityColumn]
    display: str | None = None

    @pydantic.model_validator(mode="after")
    def _display_is_a_column(self) -> Entities:
        if self.display is not None and self.display not in self.columns:
            raise ValueError(f"display: {self.display!r} is no column; allowed: {', '.join(self.columns)}")
        return self

    @property
    def display_column(self) -> str | None:
        """The column that names an entity to people, if there is one."""
        texts = [name for name, column in self.columns.items() if isinstance(column, TextColumn)]
        return self.display or (texts[0] if texts else None)


class TripleColumns(Document):
    """The columns of a table of triples, each a name that is never empty."""

    head: Column = Column()
    relation: Column = Column()
    tail: Column = Column()


class Triples(Table):
    """A table of facts about entities: head, relation, tail."""

    columns: TripleColumns = TripleColumns()


class LinkColumns(Document):
    """The columns of a table of links, each a name that is never empty."""

    item_id: Column = Column()
    entity_id: Column = Column()


class Links(Table):
    """A table that says which entity an item is; an item may be several, and an entity several items."""

    columns: LinkColumns = LinkColumns()


class Knowledge(Document):
    """Triples that become the item attribute `knowledge`: the entities one triple away from the item's.

    The direction of a triple makes no difference, and neither does its relation.

    Attributes:
      links: without this table the entities have the ids of the items.
      minimum_items: entities that neighbour fewer items are left out, since they carry nothing from
        one item to another.
      separator: what stands between two entities in a raw cell; no entity may hold it.
    """

    triples: Triples
    links: Links | None = None
    minimum_items: pydantic.PositiveInt = 2
    separator: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1)] = "|"

    @property
    def column(self) -> MultiColumn:
        """The attribute as a column of the items."""
        return MultiColumn(kind="multi", separator=self.separator)


class LeaveLast(Document):
    """Each user's last interaction tests, the one before validates; who has fewer than three only trains."""

    kind: Literal["leave_last"] = "leave_last"


class Temporal(Document):
    """One cut by time for everybody: the honest split for cold start.

    `validation` and `test` are the shares of all interactions at the end of the time line;
    interactions of the same moment are never cut apart.
    """

    kind: Literal["temporal"]
    validation: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.1


class Random(Document):
    """Each interaction is drawn by a hash of user, item and place in the table, whatever its time."""

    kind: Literal["random"]
    validation: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.1
    seed: int = 0


Split = Annotated[LeaveLast | Temporal | Random, pydantic.Field(discriminator="kind")]


class Filters(Document):
    """Rules that leave rows out, each counted in statistics.json.

    Attributes:
      minimum_label: interactions below are left out.
      k_core: users and items with fewer interactions are left out, again and again until none is.
    """

    minimum_label: float | None = None
    k_core: Annotated[int, pydantic.Field(ge=2)] | None = None


class LanguageModelSource(Document):
    """Any BERT checkpoint, Chinese ones included.

    `path` is a folder with `config.json`, `vocab.txt` and `model.safetensors` or `tf_model.h5`; `asset://NAME`;
    or, of the Hugging Face hub, `hub://OWNER/NAME` or `hub://OWNER/NAME@REVISION`.
    `max_tokens` is where a text is cut, the two special tokens included.
    """

    path: str = "asset://all-minilm-l6-v2"
    max_tokens: Annotated[int, pydantic.Field(ge=4, le=512)] = 32


class DataConfig(Document):
    """The `data:` section of a config.

    Attributes:
      items: without this table the catalogue is every item of the interactions.
      window: the most interactions that one training Example holds.
      maximum_rejected: the share of a table's rows that may be quarantined before the run is
        refused, because then the config is more likely wrong than the rows.
    """

    interactions: Interactions
    items: Entities | None = None
    users: Entities | None = None
    knowledge: Knowledge | None = None
    split: Split = LeaveLast()
    filters: Filters = Filters()
    language_model: LanguageModelSource = LanguageModelSource()
    window: Annotated[int, pydantic.Field(ge=2)] = 1000
    maximum_rejected: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.05

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> DataConfig:
        for entity, table in (("item", self.items), ("user", self.users)):
            if table is None:
                continue
            ids = [name for name, column in table.columns.items() if isinstance(column, IdColumn)]
            if ids != [f"{entity}_id"]:
                found = ", ".join(ids) or "none"
                raise ValueError(
                    f"{entity}s.columns: exactly one column of kind id is needed, named {entity}_id "
                    f"(found {found})"
                )
        timed = any(isinstance(column, TimeColumn) for column in self.interactions.columns.values())
        if isinstance(self.split, Temporal) and not timed:
            raise ValueError("split.kind: temporal needs a column of kind time in interactions.columns")
        if isinstance(self.split, Temporal | Random) and self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test together must leave something to train on (below 1)")
        if self.filters.minimum_label is not None and not any(
            isinstance(column, LabelColumn) for column in self.interactions.columns.values()
        ):
            raise ValueError("filters.minimum_label needs a column of kind label in interactions.columns")
        return self

    @pydantic.model_validator(mode="after")
    def _reviews_have_names_of_their_own(self) -> DataConfig:
        for name, table in (("items", self.items), ("users", self.users)):
            columns = table.columns if table else {}
            twice = [column for column in self.interactions.review_columns if column in columns]
            if twice:
                raise ValueError(
                    f"interactions.columns and {name}.columns both have {', '.join(twice)}; texts of "
                    f"interactions join those of {name}, so rename one (source: is its name in the file)"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _knowledge_has_a_name_of_its_own(self) -> DataConfig:
        items = self.items.columns if self.items else {}
        for name, columns in (("items", items), ("interactions", self.interactions.review_columns)):
            if self.knowledge and KNOWLEDGE in columns:
                raise ValueError(
                    f"{name}.columns: {KNOWLEDGE} is what the attribute of the knowledge: section is called; "
                    "rename the column (source: is its name in the file)"
                )
        return self

    @property
    def tables(self) -> dict[str, tuple[Table, dict[str, Column]]]:
        """Every table that is given, with its columns, by the name that statistics.json calls it."""
        tables: dict[str, Interactions | Entities | Triples | Links | None] = {
            "interactions": self.interactions,
            "items": self.items,
            "users": self.users,
            "triples": self.knowledge.triples if self.knowledge else None,
            "links": self.knowledge.links if self.knowledge else None,
        }
        return {name: (table, dict(table.columns)) for name, table in tables.items() if table is not None}

    @property
    def item_columns(self) -> dict[str, Column]:
        """What an item's cells are: those of its table, then its knowledge, then its reviews."""
        table = self.items.columns if self.items else {}
        knowledge = {KNOWLEDGE: self.knowledge.column} if self.knowledge else {}
        return {**table, **knowledge, **self.interactions.review_columns}

    @property
    def user_columns(self) -> dict[str, Column]:
        """What a user's cells are: those of the table, then the reviews."""
        return {**(self.users.columns if self.users else {}), **self.interactions.review_columns}

    @property
    def needs_language_model(self) -> bool:
        """Whether items or users have text."""
        return any(map(in_text, [*self.item_columns.values(), *self.user_columns.values()]))


def read_config(path: Path) -> tuple[str, DataConfig]:
    """Reads the name and the `data:` section of a config; the other sections belong to other steps.

    Raises:
      InputError: no such file, no `data:` section, or something in it that is not allowed.
    """
    values = read_config_mapping(path)
    if not isinstance(values.get("data"), dict):
        raise InputError(f"{path}: the section data: is missing; it says where the tables are")
    name = values.get("name", path.stem)
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: name: a text is needed (found {name!r})")
    return name, parse(DataConfig, values["data"], f"{path}: data")
