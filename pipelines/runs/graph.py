"""Which step needs which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.runs.step import Step
from preprocessing.schema import InputError


class Graph:
    """Steps in an order in which each comes after those that it needs.

    Args:
      steps: in such an order.

    Raises:
      ValueError: a step needs one that does not come before it, or two have one name.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps: dict[str, Step] = {}
        for step in steps:
            missing = [name for name in step.needs if name not in self._steps]
            if missing or step.name in self._steps:
                raise ValueError(f"step {step.name}: {missing or 'its name'} must stand before it, once")
            self._steps[step.name] = step

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all steps, in order."""
        return tuple(self._steps)

    def check(self, option: str, names: Sequence[str]) -> None:
        """Refuses names of steps that are not there.

        Raises:
          InputError: it lists the steps.
        """
        for name in names:
            if name not in self._steps:
                raise InputError(f"{option}: no step {name!r}; there are {', '.join(self._steps)}")

    def needed_by(self, name: str) -> set[str]:
        """The steps that must be done before a step, directly or not."""
        needed = set(self._steps[name].needs)
        return needed.union(*(self.needed_by(need) for need in needed))
