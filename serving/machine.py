"""What this process may use of the machine."""

from __future__ import annotations

import ctypes
import os

# Of glibc's <malloc.h>, and what is set here, in bytes.
_TRIM_THRESHOLD, _KEPT = -1, 64 * 2**20
_MMAP_THRESHOLD, _MAPPED = -3, 32 * 2**20


def cpus() -> int:
    """Counts the CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Lets threads keep the memory that a request used for the next one.

    glibc gives what is free at the end of a thread's heap back to the system and asks for it again a moment
    later; for a batch of some rows, filling the pages anew took a tenth of the time. Other C libraries are
    left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _MAPPED)
        mallopt(_TRIM_THRESHOLD, _KEPT)
