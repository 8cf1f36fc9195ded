"""Parses JSON as TensorFlow Serving does: NaN and Infinity are numbers, and errors are said in its words.

orjson reads what is strictly JSON, three times as fast as the standard library on large tensors. What it
refuses goes to the standard library, which knows NaN and Infinity and tells errors by their kind.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import orjson

from serving.errors import ServingError

_MESSAGES = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid control character at": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
}
_COMMA = "Expecting ',' delimiter"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BROKEN_NUMBER = re.compile(r"(\.)(?![0-9])|(?:\.[0-9]+)?[eE][+-]?(?![0-9])")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_SHORT = re.compile(r"-NaN|Inf(?!i)")  # numbers to RapidJSON, and not to the standard library
_SHORT_OR_STRING = re.compile(f"{_STRING.pattern}|{_SHORT.pattern}", re.DOTALL)
_LONG = {"-NaN": " NaN", "Inf": "Infinity"}
_LITERALS = ("null", "true", "false", "NaN", "Infinity")
_HUGE = re.compile(r"[0-9]{20}|[0-9][eE]\+?[0-9]{3}")


def parse(body: bytes) -> Any:
    """Parses a request's body.

    Returns:
        Its value; whole numbers that 64 bits cannot hold come as floats.

    Raises:
        ServingError: INVALID_ARGUMENT if it is no JSON.
    """
    if not body:
        raise ServingError("JSON Parse error: The document is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_leniently(_decode(body))


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error("Invalid encoding in string.", error.start) from error


def _parse_leniently(text: str) -> Any:
    if not text.strip():
        raise _error("The document is empty.", len(text))
    # Hooks of ours cost time with every number, so they are for texts where some number may need them.
    read_float, read_int = (_finite, _whole) if _HUGE.search(text) else (None, None)
    try:
        value = json.loads(_lengthen(text), parse_float=read_float, parse_int=read_int)
    except json.JSONDecodeError as error:
        raise _in_their_words(error.msg, text, _position(text, error.pos)) from error
    except _NumberTooBigError as error:
        raise _error("Number too big to be stored in double.", text.find(str(error))) from error
    except RecursionError as error:
        raise ServingError("JSON Parse error: Nested too deep.") from error
    _refuse_lone_surrogates(text)
    return value


def _lengthen(text: str) -> str:
    """Writes short numbers as the standard library knows them."""
    if not _SHORT.search(text):
        return text
    return _SHORT_OR_STRING.sub(lambda match: _LONG.get(match[0], match[0]), text)


def _position(text: str, lengthened: int) -> int:
    """Finds the place in a text that is at `lengthened` once it is lengthened."""
    position = lengthened
    for match in _SHORT_OR_STRING.finditer(text) if _SHORT.search(text) else ():
        if match.start() < position:
            position -= len(_LONG.get(match[0], match[0])) - len(match[0])
    return position


class _NumberTooBigError(ValueError):
    """A number that only infinity is near to; holds its digits."""


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _NumberTooBigError(digits)
    return number


def _whole(digits: str) -> int | float:
    # Python refuses to convert thousands of digits; no number of 64 bits has more than 20 with its sign.
    number = int(digits) if len(digits) <= 20 else 2**64
    return number if -(2**63) <= number < 2**64 else _finite(digits)


def _refuse_lone_surrogates(text: str) -> None:
    """Refuses escapes of half a character, which the standard library lets pass and UTF-8 cannot hold."""
    first: re.Match[str] | None = None
    for match in _ESCAPE.finditer(text):
        half = int(match[1], 16) if match[1] else 0
        is_second = 0xDC00 <= half <= 0xDFFF
        if first and not (is_second and match.start() == first.end()):
            raise _surrogate_error(first)
        if is_second and not first:
            raise _surrogate_error(match)
        first = match if 0xD800 <= half <= 0xDBFF else None
    if first:
        raise _surrogate_error(first)


def _surrogate_error(match: re.Match[str]) -> ServingError:
    offset = len(match.string[: match.start()].encode())
    return _error("The surrogate pair in string is invalid.", offset)


def _in_their_words(problem: str, text: str, position: int) -> ServingError:
    message = _MESSAGES.get(problem, "Invalid value.")
    broken = _BROKEN_NUMBER.match(text, position) if text[position - 1 : position].isdigit() else None
    if broken and problem in (_COMMA, "Extra data"):
        message = "Miss fraction part in number." if broken[1] else "Miss exponent in number."
        position = broken.end()
    elif problem == _COMMA:
        message = (
            "Missing a comma or } after an object member."
            if _container(text[:position]) == "{"
            else "Missing a comma or ] after an array element."
        )
    elif problem == "Expecting value":
        position += _matching_start(text, position)
    elif problem == "Invalid \\uXXXX escape":
        position = text.rindex("\\", 0, position + 1)
    elif problem == "Unterminated string starting at":
        position = len(text)
    return _error(message, len(text[:position].encode()))


def _container(text: str) -> str:
    """Finds the bracket that is open at the end of a text that is JSON so far."""
    open_brackets = ["["]
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        if bracket in "[{":
            open_brackets.append(bracket)
        else:
            open_brackets.pop()
    return open_brackets[-1]


def _matching_start(text: str, position: int) -> int:
    """Counts the characters of a miswritten literal, such as `tru`, that are still right."""
    if text.startswith("-", position):
        return 1
    return max(_matching(literal, text[position : position + len(literal)]) for literal in _LITERALS)


def _matching(literal: str, given: str) -> int:
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(literal, given, strict=False))
    return len(list(pairs))


def _error(message: str, offset: int) -> ServingError:
    return ServingError(f"JSON Parse error: {message} at offset: {offset}")
