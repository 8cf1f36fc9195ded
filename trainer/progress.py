"""Shows how far a long step is: bars on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Progress:
    """Writes progress to a console; on anything but a terminal it prints a line where that helps.

    Args:
      console: where to.
      make_bars: makes bars that are shown elsewhere, of the arguments of rich's own.
    """

    def __init__(self, console: Console, make_bars: Callable[..., Bars] = Bars) -> None:
        self._console = console
        self._make_bars = make_bars
        self._bars: Bars | None = None

    def _columns(self) -> Bars:
        return self._make_bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def say(self, text: str) -> None:
        """Prints one line as it is: brackets in it are no markup, and a path in it is not broken."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar for `total` pieces of work; gives the function that says how many more are done."""
        if not self._console.is_terminal:
            self.say(f"{description} ({total:,})")
        if self._bars is not None:  # a terminal shows one set of bars at a time: this one joins it
            yield from self._task(self._bars, description, total)
        else:
            with self._columns() as bars:
                yield from self._task(bars, description, total)

    def _task(self, bars: Bars, description: str, total: int) -> Iterator[Callable[[int], None]]:
        task = bars.add_task(description, total=total)
        yield lambda count: bars.advance(task, count)
        bars.remove_task(task)

    @contextmanager
    def training(self, done: int, epochs: int) -> Iterator[None]:
        """A bar over epochs; `epoch` moves it."""
        with self._columns() as bars:
            self._bars = bars
            bars.add_task("Training", total=epochs, completed=done)
            try:
                yield
            finally:
                self._bars = None

    def epoch(self, number: int, loss: float, metrics: dict[str, float], best: int) -> None:
        """Tells that an epoch is done, with its loss and validation metrics."""
        text = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.say(f"epoch {number:3d}  loss {loss:.4f}  {text}{'  best' if best == number else ''}")
        if self._bars is not None:
            self._bars.update(self._bars.task_ids[0], completed=number)
