"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import os
import sys
import threading


def end_with_parent() -> None:
    """Ends this process when its input ends: a pipe that the parent holds open as long as it lives.

    A `kill -9` of the parent closes the pipe too. (Linux can also signal a parent's death, but it means that
    of the parent's thread, and has to be asked for between fork and exec, where threads make that unsafe.)
    """
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by way of sys.stdin, whose lock a thread must not hold at the end
    os._exit(1)
