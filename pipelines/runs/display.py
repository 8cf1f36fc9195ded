"""Shows a run: its steps, how far each is, and what they print."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress as Bars
from rich.progress import ProgressColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trainer.progress import Progress

WAITING, REUSED, TAKEN, BEGUN, DONE = "waiting", "reused", "taken as it is", "begun", "done"


class Display:
    """The steps as a list, below what they print: live on a terminal, plain lines anywhere else.

    Args:
      console: where it is shown.
      steps: the names of all steps, in order.
    """

    def __init__(self, console: Console, steps: Sequence[str]) -> None:
        self.console = console
        self._states = dict.fromkeys(steps, WAITING)
        self._seconds: dict[str, float] = {}
        self._began = 0.0
        self._phase = ""
        self._bars: list[Bars] = []
        self._live = Live(get_renderable=self._render, console=console, transient=True)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Shows the list until the block ends; in the end a table of all steps stays."""
        with self._live if self.console.is_terminal else contextlib.nullcontext():
            yield
        self.console.print(self._table())

    def reused(self, step: str) -> None:
        """A step is as it was left."""
        self._states[step] = REUSED
        self._line(f"{step}: nothing has changed, reused")

    def taken(self, step: str) -> None:
        """A step was not looked at, since its artifact is to be taken as it is."""
        self._states[step] = TAKEN
        self._line(f"{step}: taken as it is")

    def begun(self, step: str) -> None:
        """A step's work begins."""
        self._states[step], self._began = BEGUN, time.monotonic()
        if self.console.is_terminal:
            self.console.rule(f"[bold]{step}", align="left")
        self._line(f"{step}: begun")

    def done(self, step: str, seconds: float) -> None:
        """A step's artifact is whole."""
        self._states[step], self._seconds[step], self._phase = DONE, seconds, ""
        self._line(f"{step}: done in {seconds:.1f} s")

    def phase(self, text: str) -> None:
        """What the step at work is at."""
        self._phase = text
        self._line(text)

    @property
    def progress(self) -> Progress:
        """For the trainer: its bars stand below the list."""
        return Progress(self.console, self.bars)

    def bars(self, *columns: str | ProgressColumn, **options: Any) -> Bars:
        """Bars of the step at work, that stand below the list while they are in use."""
        options["console"] = self.console
        options["disable"] = not self.console.is_terminal
        return _BarsBelow(self._bars, *columns, **options)

    def _line(self, text: str) -> None:
        if self.console.is_terminal:
            self._live.refresh()
        else:
            self.console.print(text, markup=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        lines = Table.grid(padding=(0, 2))
        for step, state in self._states.items():
            if state == BEGUN:
                elapsed = f"{time.monotonic() - self._began:.0f} s"
                lines.add_row(Spinner("dots"), Text(step, "bold"), Text(f"{elapsed}  {self._phase}"))
            else:
                mark = {WAITING: " ", DONE: "✓"}.get(state, "=")
                lines.add_row(mark, Text(step), Text(self._told(step), "dim"))
        return Group(lines, *self._bars)

    def _told(self, step: str) -> str:
        return f"{self._seconds[step]:.1f} s" if step in self._seconds else self._states[step]

    def _table(self) -> Table:
        table = Table("step", "seconds")
        table.columns[1].justify = "right"
        for step, state in self._states.items():
            if state != WAITING:
                table.add_row(step, f"{self._seconds[step]:.1f}" if state == DONE else state)
        return table


class _BarsBelow(Bars):
    """Bars that a run's display shows, since a terminal has room for one live display.

    Args:
      shown: the bars that the display shows; these put themselves there while they are in use.
    """

    def __init__(self, shown: list[Bars], *columns: str | ProgressColumn, **options: Any) -> None:
        super().__init__(*columns, **options)
        self._shown = shown

    def start(self) -> None:
        self._shown.append(self)

    def stop(self) -> None:
        self._shown.remove(self)
