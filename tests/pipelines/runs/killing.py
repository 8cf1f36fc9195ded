"""Runs `tandem run` undisturbed, then again with `kill -9` at random moments; prints what happened as JSON.

A program of its own: it imports what the steps need once and forks, since most of the time of a short run is
imports. (No TensorFlow operation runs before the fork, which TensorFlow would not survive.)
"""

import bisect
import faulthandler
import itertools
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import apache_beam  # noqa: F401
import scann  # noqa: F401
import tensorflow  # noqa: F401

import pipelines.evaluation.judge
import pipelines.evaluation.requirements
import pipelines.recommendations  # noqa: F401
import preprocessing.pipeline  # noqa: F401
import serving.models.saved_model  # noqa: F401
import trainer.export  # noqa: F401
from pipelines.cli import main
from pipelines.runs.lineage import Lineage
from preprocessing.schema import folder_digest

TRIES = 3
HANGS_AFTER = 600
"""Seconds, of a run that takes a minute; then it says where it hangs, and ends."""


def start(config: str, folder: Path, *options: str) -> int:
    """Forks a process, with a group of its own, that does `tandem run`."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    log = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    sys.argv = ["tandem", "run", "--config", config, "--output", str(folder), *options]
    try:
        main()
    except SystemExit as error:
        os._exit(int(error.code or 0))
    os._exit(70)


def finish(config: str, folder: Path) -> None:
    """Lets it run to its end."""
    _, status = os.waitpid(start(config, folder), 0)
    assert status == 0, Path(f"{folder}.log").read_text()


def states(folder: Path) -> dict[str, str]:
    lineage = Lineage.read(folder)
    return {} if lineage is None else {name: record.state for name, record in lineage.steps.items()}


def moments(folder: Path, generator: random.Random, count: int) -> list[tuple[str, float]]:
    """Moments spread over a finished run: steps, in order, and seconds since they began."""
    durations = {name: record.seconds for name, record in Lineage.read(folder).steps.items()}
    ends = list(itertools.accumulate(durations.values()))
    drawn = []
    for moment in sorted(generator.uniform(0, ends[-1]) for _ in range(count)):
        place = bisect.bisect_left(ends, moment)
        drawn.append((list(durations)[place], moment - (ends[place] - list(durations.values())[place])))
    return drawn


def kill_at(config: str, folder: Path, step: str, seconds: float, tries: int = TRIES) -> list[str]:
    """Kills it so long after the step began; gives the steps that were at work then.

    A step that was finished before, or is finished too soon, is done again, a few times at most.
    """
    options = ("--force", step) if states(folder).get(step) == "done" else ()
    process = start(config, folder, *options)
    until = None
    while until is None or time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            assert status == 0, Path(f"{folder}.log").read_text()
            return kill_at(config, folder, step, seconds / 2, tries - 1) if tries > 1 else []
        if until is None and states(folder).get(step) == "begun":
            until = time.monotonic() + seconds
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return [name for name, state in states(folder).items() if state == "begun"]


def check_whole(folder: Path) -> None:
    """What is said to be done, and what can be served, is whole."""
    lineage = Lineage.read(folder)
    versions = {folder_digest(path) for path in (folder / "model").glob("[0-9]*")}
    served = {folder_digest(path) for path in (folder / "serving").glob("[0-9]*")}
    assert served <= versions
    for name in ("export", "push"):
        record = lineage.steps.get(name) if lineage else None
        if record and record.state == "done":
            assert folder_digest(folder / record.artifact) == record.digest


def run(config: str, undisturbed: Path, disturbed: Path, seed: int, count: int) -> dict[str, object]:
    finish(config, undisturbed)
    killed = []
    for step, seconds in moments(undisturbed, random.Random(seed), count):
        killed.append((step, round(seconds, 1), kill_at(config, disturbed, step, seconds)))
        check_whole(disturbed)
    finish(config, disturbed)
    return {"killed": killed}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    report = run(arguments[0], Path(arguments[1]), Path(arguments[2]), int(arguments[3]), int(arguments[4]))
    print(json.dumps(report))
