"""What commands say that go on where they were stopped."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def goes_on() -> Iterator[None]:
    """Says after a Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        print("tandem: stopped; the same command goes on from here", file=sys.stderr)
        raise
