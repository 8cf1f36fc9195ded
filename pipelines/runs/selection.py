"""Which steps of a run are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.runs.graph import Graph


@dataclass(frozen=True)
class Selection:
    """What `--force`, `--from` and `--until` ask for.

    Attributes:
      force: steps that are done again though nothing has changed.
      first: what this step needs is taken as it is, whether or not it has changed since.
      last: only this step and what it needs is done.
    """

    force: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None

    def check(self, graph: Graph) -> None:
        """Refuses steps that are not there.

        Raises:
          InputError: it lists the steps.
        """
        graph.check("--force", self.force)
        graph.check("--from", [self.first] if self.first else [])
        graph.check("--until", [self.last] if self.last else [])

    def wanted(self, graph: Graph) -> tuple[str, ...]:
        """The steps to do or reuse, in order."""
        if self.last is None:
            return graph.names
        needed = {self.last} | graph.needed_by(self.last)
        return tuple(name for name in graph.names if name in needed)

    def taken(self, graph: Graph) -> set[str]:
        """The steps whose artifacts are taken as they are."""
        return graph.needed_by(self.first) if self.first else set()
