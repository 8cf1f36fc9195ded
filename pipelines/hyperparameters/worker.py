"""A process that does trials for `tandem tune --parallel`, and ends with the one that started it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from rich.console import Console

from pipelines.parent import end_with_parent


def main(config: str, folder: str, trials: str) -> None:
    """Does trials until so many were begun by all processes together."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, and it ends us
    end_with_parent()
    from pipelines.hyperparameters.tuning import Search

    Search.open(Path(config), Path(folder), Console(highlight=False)).work(int(trials))


if __name__ == "__main__":
    main(*sys.argv[1:])
