"""Runs a Beam pipeline, on this machine unless the options name a runner."""

from __future__ import annotations

import logging
import queue
import re
import shlex
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from preprocessing.errors import PipelineError, WorkerLostError
from preprocessing.schema import InputError
from preprocessing.shuffle import FileShuffle, RunnerShuffle, Shuffle


def _names_runner(beam_options: Sequence[str]) -> bool:
    return any(option.split("=")[0] == "--runner" for option in beam_options)


@contextmanager
def shared_folder(scratch: Path, beam_options: Sequence[str]) -> Iterator[str]:
    """Gives the folder that the workers write to; in the end its files are in `scratch`.

    On this machine that is `scratch` itself; workers of another runner cannot reach it, so they write
    below `--temp_location`, and their files are fetched and deleted there.

    Raises:
      InputError: another runner is named without a `--temp_location`.
    """
    if not _names_runner(beam_options):
        yield str(scratch)
        return
    location = PipelineOptions(list(beam_options)).view_as(GoogleCloudOptions).temp_location
    if not location:
        raise InputError(
            "beam options: --runner needs --temp_location=…, a folder that this machine and the workers reach"
        )
    folder = FileSystems.join(location, f"tandem-{uuid.uuid4().hex}")
    FileSystems.mkdirs(folder)
    try:
        yield folder
        for found in FileSystems.match([FileSystems.join(folder, "*")])[0].metadata_list:
            name = found.path.rsplit("/", 1)[-1]
            with (
                FileSystems.open(found.path, compression_type=CompressionTypes.UNCOMPRESSED) as source,
                (scratch / name).open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
    finally:
        # What has no folders, as buckets, takes a name for that of a file unless it ends with a slash.
        FileSystems.delete([folder if FileSystems.get_scheme(folder) is None else f"{folder}/"])


@contextmanager
def shuffle_beside(root: str) -> Iterator[Shuffle]:
    """Gives the shuffle of a run whose files are written to `root`.

    It goes through files if `root` is a path on this machine, which all workers then reach, and through the
    runner if it is in a bucket. The files are deleted in the end.
    """
    if FileSystems.get_scheme(root) is not None:
        yield RunnerShuffle()
        return
    folder = Path(root, "shuffle").resolve()
    folder.mkdir()
    try:
        yield FileShuffle(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_pipeline(lay: Callable[[beam.Pipeline], None], workers: int, beam_options: Sequence[str]) -> None:
    """Lays the steps into a pipeline and runs it to the end.

    Beam's own `DirectRunner` would first try to download another runner, so its Python runner is named
    here; `--runner` among the options wins over it.

    Raises:
      InputError: a step raised it.
      PipelineError: a step failed otherwise; Beam's exception with the whole trace is its cause.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what matters arrives as an exception
    if _names_runner(beam_options):
        _run(lay, None, list(beam_options))
    elif workers == 1:
        _run(lay, FnApiRunner(), list(beam_options))
    else:
        # `exec` makes the worker, not the shell before it, this process's child.
        command = f"exec {shlex.quote(sys.executable)} -m preprocessing.worker"
        runner = FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))
        _run_beside_workers(lambda: _run(lay, runner, [f"--direct_num_workers={workers}", *beam_options]))


def _run(lay: Callable[[beam.Pipeline], None], runner: FnApiRunner | None, options: list[str]) -> None:
    try:
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        lay(pipeline)
        pipeline.run().wait_until_finish()
    except Exception as error:
        raise readable_error(error) from error


def _run_beside_workers(run: Callable[[], None]) -> None:
    """Runs in a thread of its own, since Beam waits for ever for a worker process that was killed."""
    outcome: queue.Queue[Exception | None] = queue.Queue()

    def report() -> None:
        try:
            run()
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    with _lost_workers(outcome.put):
        threading.Thread(target=report, daemon=True).start()
        error = outcome.get()
        if error is not None and not isinstance(error, InputError | WorkerLostError):
            # What a lost worker makes go wrong can be heard of before the loss itself.
            with suppress(queue.Empty):
                error = outcome.get(timeout=1)
    if error is not None:
        raise error


@contextmanager
def _lost_workers(tell: Callable[[Exception], None]) -> Iterator[None]:
    """Tells of worker processes that end in the middle, which Beam lets its watching thread die of."""
    previous = threading.excepthook

    lost = threading.Event()

    def hook(arguments: threading.ExceptHookArgs) -> None:
        match = re.match(r"Worker subprocess exited with return code (-?\d+)", str(arguments.exc_value))
        if match:
            lost.set()
            hint = "; was it out of memory? Try fewer workers" if match[1] in ("-9", "137") else ""
            tell(
                WorkerLostError(
                    f"a worker process ended in the middle of its work (exit code {match[1]}{hint})"
                )
            )
        elif not lost.is_set():
            previous(arguments)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = previous


def readable_error(error: Exception) -> Exception:
    """Finds a step's own message in what Beam made of it: a text that ends with the step's trace."""
    step = re.search(r"\[while running '(.*?)(?:-ptransform-\d+)?'\]", str(error))
    text = re.sub(r" \[while running '.*?'\]", "", str(error))
    if isinstance(error, InputError):
        return InputError(text)
    message = f"{type(error).__name__}: {text}"
    if "Traceback (most recent call last):" in text:
        # The last `Type: message` is the step's; the further lines of its message follow it.
        lines = text.splitlines()
        starts = [
            number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception|Exit)\b", line)
        ]
        message = "\n".join(lines[starts[-1] :]).strip() if starts else text
    own = re.match(r"[\w.]*\bInputError: (.*)", message, re.DOTALL)
    if own:
        return InputError(own[1])
    lost = re.search(r"\bWorkerLostError: (.*)", message)
    if lost:
        return WorkerLostError(lost[1])
    return PipelineError(message + (f" (in the step {step[1]})" if step else ""))
