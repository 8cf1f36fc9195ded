"""The dataset config: where the tables are and what each column is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from preprocessing.schema import Document, InputError, parse, read_mapping

Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""Column names become feature names of Examples and inputs of signatures."""


class Column(Document):
    """What every column has: `source` is its name in the file, when that differs from the key."""

    source: str | None = None


class IdColumn(Column):
    """Names an item or a user; an empty id is refused."""

    kind: Literal["id"]


class TextColumn(Column):
    """Free text; several text columns join into one text, in the config's order.

    `unescape_html` turns `&amp;` into `&`, as web shops' exports need.
    """

    kind: Literal["text"]
    unescape_html: bool = False


class CategoricalColumn(Column):
    """One value of a set; `in_text` also puts it into the text."""

    kind: Literal["categorical"]
    in_text: bool = False


class MultiColumn(Column):
    """Several values of a set in one cell, with `separator` between them."""

    kind: Literal["multi"]
    separator: Annotated[str, pydantic.StringConstraints(min_length=1)] = "|"
    in_text: bool = False


class NumericColumn(Column):
    """A finite number; an empty cell is allowed and means that it is not known."""

    kind: Literal["numeric"]


class VectorColumn(Column):
    """A precomputed embedding (image, audio): `length` finite numbers, with spaces or commas between."""

    kind: Literal["vector"]
    length: pydantic.PositiveInt


class TimeColumn(Column):
    """When it happened: a number since 1970 in seconds or milliseconds, or an ISO 8601 date."""

    kind: Literal["time"]
    unit: Literal["s", "ms", "iso"] = "s"


class LabelColumn(Column):
    """What the interaction was worth, a finite number, for example a rating."""

    kind: Literal["label"]


EntityColumn = Annotated[
    IdColumn | TextColumn | CategoricalColumn | MultiColumn | NumericColumn | VectorColumn,
    pydantic.Field(discriminator="kind"),
]
InteractionColumn = Annotated[IdColumn | TimeColumn | LabelColumn, pydantic.Field(discriminator="kind")]


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
    """The table of interactions: `user_id` and `item_id` always, at most one time and one label."""

    columns: dict[Name, InteractionColumn]

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

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns that join into the text, in the config's order."""
        return tuple(
            name
            for name, column in self.columns.items()
            if isinstance(column, TextColumn)
            or (isinstance(column, CategoricalColumn | MultiColumn) and column.in_text)
        )


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
    """A folder with a BERT checkpoint (`config.json`, `vocab.txt`, `model.safetensors`) or `asset://NAME`.

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

    @property
    def needs_language_model(self) -> bool:
        """Whether any table has text."""
        return any(table is not None and table.text_columns for table in (self.items, self.users))


def read_config(path: Path) -> tuple[str, DataConfig]:
    """Reads the name and the `data:` section of a config; the other sections belong to other steps.

    Raises:
      InputError: no such file, no `data:` section, or something in it that is not allowed.
    """
    values = read_mapping(path)
    if not isinstance(values.get("data"), dict):
        raise InputError(f"{path}: the section data: is missing; it says where the tables are")
    name = values.get("name", path.stem)
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: name: a text is needed (found {name!r})")
    return name, parse(DataConfig, values["data"], f"{path}: data")
