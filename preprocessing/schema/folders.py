"""Files and folders that are either whole or not there."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from preprocessing.schema.errors import InputError


@contextmanager
def whole_folder(target: Path, is_ours: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Gives a scratch folder that becomes `target` when the block ends well.

    A killed or failed block leaves `target` as it was. The scratch folder stands beside the target,
    so that the rename stays on one file system; the next call for the same target sweeps it away.
    A folder that stood at `target` is replaced, if it is empty or `is_ours`.

    Args:
      target: where the folder is to stand.
      is_ours: tells whether all that a folder holds was written by an earlier run; None where nobody else
        can have put anything.

    Raises:
      InputError: a file, or a folder that is not ours to delete, stands at `target`.
    """
    target = target.resolve()
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: a folder is to be written here, but a file is in the way")
    if is_ours and target.exists() and any(target.iterdir()) and not is_ours(target):
        raise InputError(f"{target}: holds files that no earlier run wrote; choose another folder")
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
    """Writes a file that appears with all its content or not at all; its folder must be there.

    Raises:
      InputError: a folder stands there.
    """
    if path.is_dir():
        raise InputError(f"{path}: a file is to be written here, but a folder is in the way")
    scratch = path.with_name(f".{path.name}.partial")
    scratch.write_bytes(content)
    scratch.replace(path)


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
