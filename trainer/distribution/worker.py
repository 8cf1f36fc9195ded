"""A process that trains together with others, and ends with the one that started them."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from rich.console import Console

from preprocessing.schema import InputError
from trainer.distribution.launch import REFUSAL
from trainer.distribution.parent import end_with_parent


def main(folder: Path) -> int:
    """Does the task in a folder; 2 when its input cannot be used, which is then said in a file."""
    end_with_parent()
    from trainer.progress import Progress
    from trainer.train import train

    task = pickle.loads((folder / "task").read_bytes())
    try:
        progress = Progress(Console(highlight=False, soft_wrap=True))
        train(task.examples, task.training, task.config, progress, task.logs, task.start)
    except InputError as error:
        (folder / REFUSAL).write_text(str(error), encoding="utf-8")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
