"""The best config, written out so that it runs by itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from pipelines.config import RunConfig
from pipelines.hyperparameters.space import Point, Space

BEST_FILE = "best.yaml"


def write_best(folder: Path, space: Space, name: str, point: Point, remark: str) -> Path:
    """Writes the config with the best values in it; the file is read back before it counts.

    It extends nothing and searches nothing, and its relative paths start at its own folder.

    Args:
      folder: of the study, where the file goes.
      space: of the config.
      name: of the data set.
      point: the best values.
      remark: the comment at the top.

    Raises:
      InputError: what was written is no valid config.
    """
    config = {"name": name, **space.config_with(point)}
    config.pop("tune")
    base, target = space.path.resolve().parent, folder.resolve()
    config["data"] = _moved(config["data"], base, target)
    push = config.get("push") or {}
    if push.get("folder") is not None:
        config["push"] = {**push, "folder": _relative(push["folder"], base, target)}
    text = f"# {remark}\n" + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=110)
    scratch, path = folder / f".{BEST_FILE}", folder / BEST_FILE
    scratch.write_text(text, encoding="utf-8")
    RunConfig.read(scratch)
    scratch.replace(path)
    return path


def _moved(node: Any, base: Path, target: Path) -> Any:
    """A part of a config with every relative `path` of a file told from another folder."""
    if isinstance(node, list):
        return [_moved(each, base, target) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _relative(value, base, target)
        if key == "path" and isinstance(value, str)
        else _moved(value, base, target)
        for key, value in node.items()
    }


def _relative(path: str, base: Path, target: Path) -> str:
    if "://" in path or Path(path).expanduser().is_absolute():
        return path
    return os.path.relpath(base / path, target)
