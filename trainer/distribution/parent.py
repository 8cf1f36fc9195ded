"""How a process ends with the one that started it."""

from __future__ import annotations

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Ends this process when its standard input ends, which the parent holds open as long as it lives.

    Ctrl-C reaches parent and children alike; it is left to the parent, which ends us.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by way of sys.stdin, whose lock a thread must not hold at the end
    os._exit(1)
