"""Shows people what a search understood and found."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.searches import Found, Interest, SearchAnswer

BAR = 20
"""Characters of a weight of 1."""

LEVELS = "▁▂▃▄▅▆▇█"
"""How well an item matches an interest, from not at all to best of all that is shown."""


def show(answer: SearchAnswer, console: Console) -> None:
    """Prints the interests with their weights, then the items with what each of them matches."""
    if not answer.interests:
        console.print("nothing to search for in these words: what follows suits whoever asks")
    for number, interest in enumerate(answer.interests, start=1):
        console.print(Text(f"{number} {_weight(interest)}  {interest.text}"), soft_wrap=True)
    if not answer.items:
        console.print("nothing is left to show")
        return
    table = Table()
    for heading, right in (("rank", True), ("title", False), ("item", False), ("score", True)):
        table.add_column(heading, justify="right" if right else "left")
    if answer.interests:
        table.add_column("".join(str(number % 10) for number in range(1, len(answer.interests) + 1)))
        table.add_column("matched")
    best = _best(answer.items, len(answer.interests))
    for rank, each in enumerate(answer.items, start=1):
        row = [str(rank), each.title, each.item_id, f"{each.score:.2f}"]
        if answer.interests:
            row += ["".join(map(_level, answer.interests, each.match, best)), each.matched]
        table.add_row(*map(Text, row))
    console.print(table)


def _weight(interest: Interest) -> str:
    if interest.weight < 0:
        return "not wanted".ljust(BAR + 5)
    if interest.weight == 0:
        return "not known".ljust(BAR + 5)
    return f"{'█' * max(1, round(BAR * interest.weight)):<{BAR}} {interest.weight:.2f}"


def _best(items: Sequence[Found], interests: int) -> list[float]:
    return [max(each.match[place] for each in items) for place in range(interests)]


def _level(interest: Interest, match: float, best: float) -> str:
    if interest.weight == 0:
        return " "
    share = match / best if best > 0 else 0.0
    return LEVELS[round(max(0.0, share) * (len(LEVELS) - 1))]
