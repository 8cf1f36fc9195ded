"""Starts servers and load in processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from benchmarks.serving_load.loop import READY
from pipelines.local_server import READY as LISTENING
from preprocessing.schema import InputError

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def server(module: str, arguments: Sequence[str], log: Path) -> Iterator[str]:
    """Runs a server until the block ends.

    Args:
      module: what to run as `python -m`.
      arguments: its command line.
      log: where it logs.

    Yields:
      its `host:port`, once it answers.

    Raises:
      InputError: it ended before that; with the end of its log.
    """
    with _running(module, arguments, log) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if ready := LISTENING.search(line):
                # Whatever is printed later must not fill the pipe and stop the server.
                reader = threading.Thread(target=process.stdout.read)
                reader.start()
                try:
                    yield f"localhost:{ready[1]}"
                finally:
                    process.terminate()
                    reader.join()
                return
        raise _ended(module, log)


@contextlib.contextmanager
def load(module: str, arguments: Sequence[str], log: Path) -> Iterator[None]:
    """Runs a load until the block ends; see `loop.call_until_told`.

    Raises:
      InputError: it failed; with the end of its log.
    """
    # What `tandem serve` sets for itself, a load that calls the model itself should have too.
    with _running(module, arguments, log, {"TF_ENABLE_ONEDNN_OPTS": "0"}) as process:
        assert process.stdin is not None and process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise _ended(module, log)
        yield
        process.stdin.close()
        if process.wait():
            raise _ended(module, log)


def run(module: str, arguments: Sequence[str], log: Path) -> str:
    """Runs something to its end and gives what it printed.

    Raises:
      InputError: it failed; with the end of its log.
    """
    with _running(module, arguments, log) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        if process.wait():
            raise _ended(module, log)
        return printed


@contextlib.contextmanager
def _running(
    module: str, arguments: Sequence[str], log: Path, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {
        **settings,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    with log.open("a", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _ended(module: str, log: Path) -> InputError:
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
    return InputError(f"{module} failed; {log} ends with:\n{tail}")
