"""How the servers of the cluster run until they are told to end."""

from __future__ import annotations

import signal
import threading


def run_until_ended(announcement: str) -> None:
    """Says on one line that the server is there, and returns after SIGTERM or Ctrl-C."""
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    print(announcement, flush=True)
    ended.wait()
