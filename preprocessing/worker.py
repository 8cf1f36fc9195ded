"""A worker process of a local run: Beam's own, but silent unless something fails, and never an orphan."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

LOOK_SECONDS = 1.0


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after the one that started it, even one that was killed."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def main() -> None:
    """Serves the process that started this one until it has no more work."""
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, and it ends us
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main  # it logs while it is imported

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
