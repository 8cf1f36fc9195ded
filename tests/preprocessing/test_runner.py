"""What goes wrong in a step comes out as one readable error, and a run that is killed leaves nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.internal.gcp.auth import _Credentials

from preprocessing.errors import PipelineError, WorkerLostError
from preprocessing.runner import run_pipeline, shared_folder
from preprocessing.schema import InputError
from tests.preprocessing.bucket import served_bucket

KILLED = """
import sys
from pathlib import Path
from preprocessing.config import DataConfig
from preprocessing.pipeline import preprocess

columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}
config = DataConfig.model_validate({"interactions": {"path": "interactions.csv", "columns": columns}})
folder = Path(sys.argv[1])
preprocess(config, "killed", folder, folder / "examples")
"""


def run_one_step(function: Any, workers: int = 1) -> None:
    run_pipeline(lambda pipeline: pipeline | beam.Create([1]) | "Divide" >> beam.Map(function), workers, ())


def refuse(_: int) -> None:
    raise InputError("items: a.csv: broken\nusers: b.csv: broken")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_input_error_of_a_step_stays_one(workers: int) -> None:
    with pytest.raises(InputError) as error:
        run_one_step(refuse, workers)
    assert str(error.value) == "items: a.csv: broken\nusers: b.csv: broken"


def test_another_error_of_a_step_is_one_line() -> None:
    with pytest.raises(PipelineError) as error:
        run_one_step(lambda value: value / 0)
    assert str(error.value) == "ZeroDivisionError: division by zero (in the step Divide)"


def test_a_worker_that_dies_ends_the_run() -> None:
    with pytest.raises(WorkerLostError, match=r"exit code 7\)"):
        run_one_step(lambda _: os._exit(7), workers=2)


def test_beam_options_win() -> None:
    with pytest.raises(PipelineError, match="NoSuchRunner"):
        run_pipeline(lambda pipeline: None, 1, ["--runner=NoSuchRunner"])


def test_a_killed_run_leaves_the_output_as_it_was(project: Any) -> None:
    rows = "".join(f"u{number % 5000},i{number % 777}\n" for number in range(200_000))
    project.write("interactions.csv", "user_id,item_id\n" + rows)
    for name in ("schema.json", "statistics.json"):
        project.write(f"examples/{name}", "an earlier run")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(project.folder)], cwd=Path.cwd())
    scratch = project.folder / ".examples.partial"
    try:
        while not scratch.exists():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert scratch.exists()
    left = {path.name: path.read_text() for path in project.output.iterdir()}
    assert left == {"schema.json": "an earlier run", "statistics.json": "an earlier run"}
    project.write("interactions.csv", "user_id,item_id\nu,i\n")
    columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}
    examples = project.preprocess({"columns": columns})
    assert examples.schema.counts["train"] == 1
    assert not scratch.exists()


def test_what_workers_wrote_to_a_bucket_is_fetched_and_deleted_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Credentials, "_credentials_init", True)  # looking for some takes half a minute
    options = ["--runner=DataflowRunner", "--temp_location=gs://bucket/temp"]
    with served_bucket() as bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.address)
        bucket.objects["temp/somebody-elses"] = b"kept"
        with shared_folder(tmp_path, options) as folder:
            assert folder.startswith("gs://bucket/temp/tandem-")
            written = folder.removeprefix("gs://bucket/")
            bucket.objects |= {f"{written}/a.tfrecord": b"\0a", f"{written}/quarantine.jsonl": b"{}"}
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
            "a.tfrecord": b"\0a",
            "quarantine.jsonl": b"{}",
        }
        assert bucket.objects == {"temp/somebody-elses": b"kept"}
