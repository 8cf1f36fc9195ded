"""The commands and programs that README and docs show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


@dataclass(frozen=True)
class Block:
    """What stands between two fences.

    Attributes:
      page: relative to the repository.
      line: the number of its first line.
      language: `bash`, `python`, ...; empty for output and the like.
    """

    page: str
    line: int
    language: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(frozen=True)
class Command:
    """A command as it is shown.

    Attributes:
      place: page and line, such as `docs/runs.md:4`.
      words: without a comment; a last `&` is a word.
    """

    place: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words as a line, in one way of writing."""
        return shlex.join(self.words).removesuffix(" '&'")


def blocks(language: str | None = None) -> list[Block]:
    """All blocks of all pages, or those of one language."""
    found = [block for page in PAGES for block in _blocks(page)]
    return [block for block in found if language is None or block.language == language]


def commands() -> list[Command]:
    """All of the blocks of `bash`, the programs of `python`, and the commands that begin a line of output."""
    shown = [command for block in blocks("bash") for command in commands_of(block)]
    shown += [
        Command(f"{block.page}:{block.line}", ("python", "-c", block.text)) for block in blocks("python")
    ]
    for block in blocks(""):
        for number, line in enumerate(block.lines, block.line):
            if line.startswith("tandem "):
                shown.append(Command(f"{block.page}:{number}", tuple(shlex.split(line))))
    return shown


def lines_outside_blocks() -> Iterator[tuple[str, str]]:
    """The places and texts of all lines that stand in no block."""
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        inside = {
            n for block in _blocks(page) for n in range(block.line - 1, block.line + len(block.lines) + 1)
        }
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if number not in inside:
                yield f"{name}:{number}", line


def _blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    fences = [number for number, line in enumerate(lines, 1) if re.match(r" *```", line)]
    assert len(fences) % 2 == 0, f"{page}: a block has no end"
    for begin, end in zip(fences[::2], fences[1::2], strict=True):
        indent, language = re.match(r"( *)```(\w*)", lines[begin - 1]).groups()
        inside = tuple(line.removeprefix(indent) for line in lines[begin : end - 1])
        yield Block(str(page.relative_to(ROOT)), begin + 1, language, inside)


def commands_of(block: Block) -> Iterator[Command]:
    """The commands of a block of `bash`, each as one line, without comments."""
    joined, begin = "", block.line
    for number, line in enumerate(block.lines, block.line):
        begin = begin if joined else number
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        words = tuple(shlex.split(joined, comments=True))
        joined = ""
        if words:
            yield Command(f"{block.page}:{begin}", words)
