"""How much memory this process has taken."""

from __future__ import annotations

from pathlib import Path


def peak() -> float:
    """The most that was ever resident, in MiB, since the program of this process started."""
    # getrusage would count what the process that started this one had resident when it forked.
    return _status("VmHWM")


def resident() -> float:
    """What is resident now, in MiB."""
    return _status("VmRSS")


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {field}; this needs Linux")
