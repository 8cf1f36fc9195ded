"""Reads YAML and JSON documents strictly: every problem is named with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import pydantic
import yaml

from preprocessing.schema.errors import InputError

ModelT = TypeVar("ModelT", bound="Document")


class Document(pydantic.BaseModel):
    """Base of every typed document: unknown keys are refused, values never change after reading."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key given twice; plain YAML would keep the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                message = "merge keys (<<) are not taken; `extends:` names a config to start from"
                raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is no text", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """Reads a YAML (or JSON) file whose top level is a mapping.

    Raises:
      InputError: the file is missing, is not UTF-8 YAML, or holds something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    try:
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except RecursionError:
        raise InputError(f"{path}: not valid YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError of what looks like a date and is none
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise InputError(
            f"{path}: expected keys and values at the top level, found {type(document).__name__}"
        )
    return document


def read_config_mapping(path: Path) -> dict[str, Any]:
    """Reads a config file, whose key `extends` may name another config that it changes.

    What `extends` names starts at the config's own folder. Mappings of both are merged key by key; anything
    else of the base is replaced.

    Raises:
      InputError: as `read_mapping`, or a config extends itself.
    """
    return _extended(path, ())


def _extended(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    place = path.resolve()
    if place in above:
        raise InputError(f"{path}: extends: the config extends itself")
    values = read_mapping(path)
    if "extends" not in values:
        return values
    base = values.pop("extends")
    if not isinstance(base, str) or not base:
        raise InputError(f"{path}: extends: the path of a config is needed (found {base!r})")
    return _merged(_extended(path.parent / base, (*above, place)), values)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            merged[key] = _merged(under, value)
        else:
            merged[key] = value
    return merged


def parse(model: type[ModelT], values: Mapping[str, Any], where: str) -> ModelT:
    """Validates a mapping into a document.

    Args:
      model: the document's type.
      values: the mapping, as read from YAML or JSON.
      where: what to call the source in an error, usually the file's path.

    Raises:
      InputError: one line a problem, each with the key's path and what is allowed.
    """
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        lines = [_describe(model, problem, values) for problem in error.errors(include_url=False)]
        raise InputError("\n".join(f"{where}: {line}" for line in lines)) from None


# What pydantic would say in words of Python.
_LISTS = ("list_type", "tuple_type")
_MAPPINGS = ("dict_type", "model_type", "model_attributes_type")


def _describe(model: type[Document], problem: Any, values: Any) -> str:
    # A discriminated union puts its tag into the location; only keys that the user wrote are shown.
    path, node = [], values
    location = problem["loc"]
    for depth, part in enumerate(location):
        if (isinstance(node, Mapping) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        ):
            node = node[part]
        elif depth != len(location) - 1 or problem["type"] != "missing":
            continue
        path.append(str(part))
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: {_unknown_key(location[-1], _keys(model, location[:-1]))}"
    if problem["type"] == "missing":
        message = "this key is required"
    elif problem["type"] in _LISTS:
        message = f"a list is needed (found {problem['input']!r})"
    elif problem["type"] == "union_tag_invalid":
        message = f"allowed: {problem['ctx']['expected_tags']} (found {problem['ctx']['tag']!r})"
    elif problem["type"] == "union_tag_not_found" and isinstance(problem["input"], Mapping):
        message = f"the key {problem['ctx']['discriminator']} is required"
    elif problem["type"] in (*_MAPPINGS, "union_tag_not_found"):
        message = f"a mapping of keys to values is needed (found {problem['input']!r})"
    elif not isinstance(problem["input"], Mapping | list):
        message += f" (found {problem['input']!r})"
    return f"{'.'.join(path) or 'top level'}: {message}"


def _unknown_key(key: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"unknown key{hint}" + (f"; allowed: {', '.join(allowed)}" if allowed else "")


def _keys(annotation: Any, location: Sequence[str | int]) -> list[str]:
    """The keys that are allowed at a location, as pydantic tells it, below a value of some type."""
    for kind in _alternatives(annotation):
        if isinstance(kind, type) and issubclass(kind, Document):
            fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            if not location:
                return list(fields)
            # What is inside one of several documents stands behind its tag, the value of one of its keys.
            tagged = kind if _has_tag(kind, location[0]) else None
            within = fields.get(str(location[0]), tagged)
        else:
            within = get_args(kind)[-1] if location and get_origin(kind) is dict else None
        found = [] if within is None else _keys(within, location[1:])
        if found:
            return found
    return []


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            yield from _alternatives(each)
    else:
        yield annotation


def _has_tag(kind: type[Document], tag: str | int) -> bool:
    kinds = (field.annotation for field in kind.model_fields.values())
    return any(get_origin(each) is Literal and tag in get_args(each) for each in kinds)
