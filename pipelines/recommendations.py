"""Asks a served model what to recommend, and shows the answer to people."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.client import Client
from serving.recommendations import Recommendation, describe


@dataclasses.dataclass(frozen=True)
class Item:
    """An item of the request, with the title that the model tells, or `""`."""

    item_id: str
    title: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was asked and what came back.

    Attributes:
      user: the user's id, or `""`.
      history: the items that were given as history.
      unknown: given items, as history or to exclude, that are not in the catalogue.
      recommendations: the best first.
    """

    user: str
    history: Sequence[Item]
    unknown: Sequence[str]
    recommendations: Sequence[Recommendation]


def ask(
    client: Client, user: str = "", history: Sequence[str] = (), exclude: Sequence[str] = (), k: int = 10
) -> Answer:
    """Asks for recommendations, and for the titles of what was given.

    Raises:
      ServingError: no answer came, or the request is impossible.
    """
    given = list(dict.fromkeys([*history, *exclude]))
    titles = describe(client, given)
    return Answer(
        user=user,
        history=[Item(item, (titles or {}).get(item, "")) for item in history],
        unknown=[] if titles is None else [item for item in given if item not in titles],
        recommendations=client.recommend(user, history, exclude, k),
    )


def show(answer: Answer, console: Console) -> None:
    """Prints an answer as a table; above it, what was given and what of that was ignored."""
    # Titles are text, not markup: "[REC] (2007)" is a film.
    known = [_named(item) for item in answer.history if item.item_id not in answer.unknown]
    if known:
        console.print(Text(f"history: {' · '.join(known)}"), soft_wrap=True)
    for item in answer.unknown:
        console.print(Text(f"ignored: {item} is not in the catalogue"), soft_wrap=True)
    if not answer.recommendations:
        console.print("nothing is left to recommend")
        return
    if not known and not any(each.because for each in answer.recommendations):
        who = f"user {answer.user}" if answer.user else "this user"
        console.print(Text(f"no history is known of {who}: these suit anybody"), soft_wrap=True)
    table = Table()
    for heading, right in (
        ("rank", True),
        ("title", False),
        ("item", False),
        ("score", True),
        ("because", False),
    ):
        table.add_column(heading, justify="right" if right else "left")
    for rank, each in enumerate(answer.recommendations, start=1):
        because = each.because_title or each.because
        row = (str(rank), each.title, each.item_id, f"{each.score:.3f}", because)
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _named(item: Item) -> str:
    return f"{item.title} ({item.item_id})" if item.title else item.item_id
