"""Starts the workers of a training on this machine, and again when one is lost."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.distribution.config import CLUSTER
from trainer.progress import Progress

if TYPE_CHECKING:
    from trainer.warm_start import WarmStart

TRIES = 3
"""So often in a row workers may be lost before an epoch is done."""
REFUSAL = "refusal"
"""The file in which a worker says what is wrong with its input."""
SAID_LAST = 15


@dataclass(frozen=True)
class Task:
    """What the workers are to train; the arguments of `trainer.train.train`."""

    examples: Path
    training: Path
    config: TrainerConfig
    logs: Path | None
    start: WarmStart | None


def launch(task: Task, workers: int, progress: Progress) -> None:
    """Trains with so many processes, which all end when this one does.

    When one is lost the others are ended, and all go on from the newest checkpoint.

    Raises:
      InputError: a worker cannot use its input, or workers are lost again and again.
    """
    lost = 0
    progress.say(f"Training with {workers} workers on this machine")
    while True:
        before = _reached(task.training)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "task").write_bytes(pickle.dumps(task))
            number = _attempt(folder, workers, progress)
            if number is None:
                return
            if (folder / REFUSAL).exists():
                raise InputError((folder / REFUSAL).read_text(encoding="utf-8"))
            last_words = (folder / f"errors-{number}").read_text(encoding="utf-8", errors="replace")
        lost = 1 if _reached(task.training) != before else lost + 1
        if lost == TRIES:
            said = "\n".join(last_words.splitlines()[-SAID_LAST:])
            raise InputError(
                f"train.distribution: {TRIES} times in a row workers were lost before an epoch was done; "
                f"the last was worker {number}, whose last words were:\n{said}"
            )
        progress.say(f"Worker {number} was lost; all start again from the newest checkpoint")


def _reached(training: Path) -> list[str]:
    """The checkpoints that there are."""
    return sorted(str(path) for path in training.rglob("ckpt-*.index"))


def _attempt(folder: Path, workers: int, progress: Progress) -> int | None:
    """Runs all workers once; the number of the first that failed, or None when all are done."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as running:
        for number in range(workers):
            process = stack.enter_context(_worker(folder, number, addresses))
            assert process.stdout
            running.register(process.stdout, selectors.EVENT_READ, (number, process))
        while running.get_map():
            for key, _ in running.select():
                number, process = key.data
                line = process.stdout.readline()
                if line:
                    progress.say(line.decode().rstrip("\n"))
                    continue
                running.unregister(process.stdout)  # it has ended
                if process.wait() != 0:
                    return int(number)
    return None


@contextlib.contextmanager
def _worker(folder: Path, number: int, addresses: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker; it does not outlive the block."""
    place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
    with (folder / f"errors-{number}").open("wb") as errors, _started(folder, place, errors) as process:
        try:
            yield process
        finally:
            process.kill()


def _started(folder: Path, place: dict[str, object], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer.distribution.worker", str(folder)],
        bufsize=0,  # or a line could be read, and not be told of
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, CLUSTER: json.dumps(place)},
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
