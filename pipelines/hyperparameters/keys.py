"""What a config allows at a key such as `model.loss.lambda`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from preprocessing.schema import Document, InputError
from trainer.config import ModelConfig, TrainConfig

SEARCHED: dict[str, type[Document]] = {"model": ModelConfig, "train": TrainConfig}
SHARED = "the examples are preprocessed once and shared by all trials"
USELESS = {
    "name": "it changes no metric",
    "data": SHARED,
    "export": "it does not change what is trained",
    "train.refit": "it does not change what is validated",
}
"""Keys and sections that cannot be searched, and why."""


def number_type(key: str) -> type[int] | type[float] | None:
    """The kind of number that a key takes; None when it takes none.

    Raises:
      InputError: there is no such key, it is a section, or searching it would be of no use.
    """
    section, *rest = key.split(".")
    for refused in (section, key):
        if refused in USELESS:
            raise InputError(f"{key} cannot be searched: {USELESS[refused]}; {_allowed()}")
    if section not in SEARCHED:
        raise InputError(f"unknown section {section}; {_allowed()}")
    annotation: Any = SEARCHED[section]
    place = section
    for name in rest:
        document = _document(annotation)
        if document is None:
            raise InputError(f"{place} holds one value, and no key {name}")
        annotations = {field.alias or each: field.annotation for each, field in document.model_fields.items()}
        if name not in annotations:
            raise InputError(f"unknown key {key}; {place} has {', '.join(annotations)}")
        annotation, place = annotations[name], f"{place}.{name}"
    document = _document(annotation)
    if document is not None:
        names = ", ".join(f"{key}.{field.alias or name}" for name, field in document.model_fields.items())
        raise InputError(f"{key} is a section; its keys are {names}")
    types = set(_types(annotation))
    return float if float in types else int if int in types else None


def _allowed() -> str:
    return f"the keys of {' and '.join(SEARCHED)} can be searched"


def _document(annotation: Any) -> type[Document] | None:
    """The document that an annotation allows, if it does."""
    found = (each for each in _types(annotation) if isinstance(each, type) and issubclass(each, Document))
    return next(found, None)


def _types(annotation: Any) -> Iterator[Any]:
    """What an annotation is made of: the parts of unions, and what constraints are about."""
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _types(argument)
