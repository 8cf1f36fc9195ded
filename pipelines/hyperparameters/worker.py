"""A process that does trials for `tandem tune --parallel`, and ends with the one that started it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console


def _end_with_parent() -> None:
    """Waits for the end of the input, which the parent holds open as long as it lives."""
    os.read(sys.stdin.fileno(), 1)  # not by way of sys.stdin, whose lock a thread must not hold at the end
    os._exit(1)


def main(config: str, folder: str, trials: str) -> None:
    """Does trials until so many were begun by all processes together."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, and it ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from pipelines.hyperparameters.tuning import Search

    Search.open(Path(config), Path(folder), Console(highlight=False)).work(int(trials))


if __name__ == "__main__":
    main(*sys.argv[1:])
