"""Reads a text file line by line, so that one line in a wrong encoding costs that line alone."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from preprocessing.schema import InputError


class Line(NamedTuple):
    """A physical line without its line break; `fault` says why it could not be decoded."""

    number: int
    text: str
    fault: str


def read_lines(stream: IO[bytes], encoding: str) -> Iterator[Line]:
    r"""Splits at `\n` and `\r\n` and decodes each line; a byte order mark is dropped.

    Raises:
      InputError: there is no byte order mark, and the encoding cannot be read without.
    """
    name = codecs.lookup(encoding).name
    if name in ("utf-8", "utf-8-sig"):
        return utf8_lines(stream, 1)
    if "\n".encode(name) == b"\n":
        return _decode(stream, name, 1)
    return _wide_lines(stream, name)


def utf8_lines(stream: Iterable[bytes], first: int) -> Iterator[Line]:
    """Decodes the lines of a UTF-8 file from the one with the number `first` on."""
    return _decode(_without_mark(stream) if first == 1 else stream, "utf-8", first)


def _without_mark(stream: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(stream):
        yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line


def _decode(lines: Iterable[bytes], encoding: str, first: int) -> Iterator[Line]:
    for number, line in enumerate(lines, start=first):
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield Line(number, line.decode(encoding), "")
        except UnicodeDecodeError as error:
            fault = (
                f"byte 0x{line[error.start]:02x} at position {error.start + 1} is not {encoding}; "
                "check `encoding:` of this table"
            )
            yield Line(number, line.decode(encoding, errors="backslashreplace"), fault)


def _wide_lines(stream: IO[bytes], encoding: str) -> Iterator[Line]:
    # In utf-16 and utf-32 a line break is no single byte, so the stream is decoded as a whole.
    text = io.TextIOWrapper(io.BufferedReader(stream), encoding=encoding, errors="replace", newline="\n")  # type: ignore[type-var]
    for number, line in enumerate(_marked(text, encoding), start=1):
        line = line.removesuffix("\n").removesuffix("\r")
        fault = f"not all of it is {encoding}; check `encoding:` of this table" if "\ufffd" in line else ""
        yield Line(number, line, fault)


def _marked(text: Iterable[str], encoding: str) -> Iterator[str]:
    try:
        yield from text
    except UnicodeError as error:  # `errors` is for characters, and not for a missing byte order mark
        raise InputError(
            f"no byte order mark, without which nobody can tell how to read {encoding}; "
            f"check `encoding:` of this table, for example {encoding}-le"
        ) from error


def is_blank(line: Line) -> bool:
    """Whether a line holds no row; one of delimiters alone does."""
    return not line.fault and not line.text.strip(" ")


def filled(lines: Iterator[Line]) -> Iterator[Line]:
    """Leaves the blank lines out."""
    return (line for line in lines if not is_blank(line))
