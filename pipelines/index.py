"""Makes the next version of an exported model without training: more items, or another index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.new_items import read_new_items
from preprocessing.schema import InputError, parse
from trainer.config import ExportConfig
from trainer.progress import Progress
from trainer.rebuild import add_items, check_content, reindex
from trainer.version import Version, newest_version, writing_alone


def add(model: Path, items: Path, output: Path | None, console: Console) -> Path:
    """Adds the items of a file to a model's catalogue, all of them or none.

    Args:
      model: a folder of versions, of which the newest is taken, or one version.
      items: JSON objects, one a line.
      output: where versions go; beside the one that was taken when None.
      console: where to say what is done.

    Returns:
      the new version's folder.

    Raises:
      InputError: the model cannot be rebuilt, or a row of the file cannot be used.
    """
    target = output or _base(model)
    with writing_alone(target):
        version = Version.read(_newest(model))
        check_content(version)
        new = read_new_items(items, version.schema.items, frozenset(version.items.ids))
        folder = add_items(version, new.ids, new.titles, new.cells, target, Progress(console))
    console.print(f"{len(new.ids):,} items added: {folder}", markup=False, soft_wrap=True)
    return folder


def build(
    model: Path,
    index: str | None,
    sizes: Mapping[str, int],
    new_item_lift: float | None,
    output: Path | None,
    console: Console,
) -> Path:
    """Gives a model another index.

    Args:
      model: a folder of versions, of which the newest is taken, or one version.
      index: the kind; the one that it has when None.
      sizes: settings of that kind by name; what is not given stays.
      new_item_lift: see `trainer.config.ExportConfig`; the one that it has when None.
      output: where versions go; beside the one that was taken when None.
      console: where to say what is done.

    Returns:
      the new version's folder.

    Raises:
      InputError: the model cannot be rebuilt, or has no such setting.
    """
    target = output or _base(model)
    with writing_alone(target):
        version = Version.read(_newest(model))
        export: dict[str, Any] = version.details.export.model_dump()
        export["index"] = index or export["index"]
        _check_sizes(sizes, export)
        export[export["index"]] |= sizes
        if new_item_lift is not None:
            export["new_item_lift"] = new_item_lift
        config = parse(ExportConfig, export, "export")
        folder = reindex(version, config, target, Progress(console))
    console.print(f"{config.index} index: {folder}", markup=False, soft_wrap=True)
    return folder


def _check_sizes(sizes: Mapping[str, int], export: Mapping[str, Any]) -> None:
    """Refuses a size that only another kind of index has.

    Raises:
      InputError: it says which kind has it.
    """
    kind = export["index"]
    for name in sizes:
        if name not in export[kind]:
            others = " or ".join(each for each in ("scann", "portable") if name in export[each])
            raise InputError(f"--{name} is for --index {others} (this one is {kind})")


def _newest(model: Path) -> Path:
    """The version itself, or the newest one below.

    Raises:
      InputError: there is neither.
    """
    if _is_version(model):
        return model
    newest = newest_version(model)
    if not newest:
        raise InputError(
            f"--model {model}: neither a version nor a folder of versions; `tandem train` exports one"
        )
    return model / str(newest)


def _base(model: Path) -> Path:
    """The folder of versions.

    Raises:
      InputError: there is no such folder.
    """
    if not model.is_dir():
        raise InputError(f"--model {model}: no such folder")
    return model.resolve().parent if _is_version(model) else model


def _is_version(model: Path) -> bool:
    return (model / "saved_model.pb").exists()
