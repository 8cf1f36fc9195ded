"""Prints whether a report's model is blessed, as a pipeline's parameter is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: str) -> None:
    """Prints `true` or `false` from the folder's `blessing.json`."""
    blessing = json.loads((Path(folder) / "blessing.json").read_text(encoding="utf-8"))
    print("true" if blessing["blessed"] else "false", end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
