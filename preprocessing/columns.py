"""What a column of a table can be."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pydantic

from preprocessing.schema import Document

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


class ReviewColumn(TextColumn):
    """What somebody wrote about an item: joins the item's and the user's text, from training alone.

    Where several are put into one raw cell, one stands on each line.
    """

    separator: ClassVar[str] = "\n"


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
InteractionColumn = Annotated[
    IdColumn | TimeColumn | LabelColumn | ReviewColumn, pydantic.Field(discriminator="kind")
]


def in_text(column: Column) -> bool:
    """Whether a column's cells are part of the text."""
    return isinstance(column, TextColumn) or (
        isinstance(column, CategoricalColumn | MultiColumn) and column.in_text
    )
