"""A model server in a process of its own, for as long as a block lasts."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from preprocessing.schema import InputError

READY = re.compile(r"Running gRPC ModelServer at [^:]+:(\d+)")


@contextlib.contextmanager
def local_server(model: Path, log: Path) -> Iterator[str]:
    """Starts `tandem serve` on a free port and stops it when the block ends, or this process does.

    Args:
      model: the folder above the model's versions.
      log: where the server's log goes.

    Yields:
      the server's `host:port`, once it answers.

    Raises:
      InputError: the server ended before it was ready; the message holds the end of its log.
    """
    command = [
        sys.executable,
        "-m",
        "pipelines.attached_server",
        "--port=0",
        f"--model_base_path={model.resolve()}",
    ]
    with (
        log.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            yield f"localhost:{_port(process, log)}"
        finally:
            process.terminate()
            process.wait()  # while its input is open: it answers what is in flight


def _port(process: subprocess.Popen[str], log: Path) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if ready := READY.search(line):
            # Whatever is printed later must not fill the pipe and stop the server.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return int(ready[1])
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
    raise InputError(f"the model server ended before it was ready; {log} ends with:\n{tail}")
