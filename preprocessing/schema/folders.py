"""Files and folders that are either whole or not there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preprocessing.schema.errors import InputError


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Gives a scratch folder that becomes `target` when the block ends well.

    A killed or failed block leaves `target` as it was. The scratch folder stands beside the target,
    so that the rename stays on one file system; the next call for the same target sweeps it away.
    A folder that stood at `target` is replaced.

    Raises:
      InputError: a file stands at `target`.
    """
    target = target.resolve()
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: a folder is to be written here, but a file is in the way")
    scratch = target.with_name(f".{target.name}.partial")
    replaced = target.with_name(f".{target.name}.replaced")
    if replaced.exists() and not target.exists():
        replaced.rename(target)  # a kill fell between the two renames below
    for leftover in (scratch, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if target.exists():
        target.rename(replaced)
    scratch.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Writes a file that appears with all its content or not at all; its folder must be there."""
    scratch = path.with_name(f".{path.name}.partial")
    scratch.write_bytes(content)
    scratch.replace(path)
