"""A job server and two pools of workers in processes of their own run the pipeline as one process does."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import psutil
import pytest

from preprocessing.errors import WorkerLostError
from preprocessing.runner import run_pipeline
from preprocessing.schema import InputError

ROWS = "".join(f"u{row % 37},i{row % 11},{row % 5},{row * 7 % 100}\n" for row in range(1000))
BROKEN = "u,i,bad,1\n"
ITEMS = {
    "path": "items.csv",
    "columns": {"item_id": {"kind": "id"}, "title": {"kind": "text"}, "genre": {"kind": "categorical"}},
}


@contextlib.contextmanager
def listening(module: str, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Runs a server until the block ends; gives its port and its process."""
    command = [sys.executable, "-m", f"preprocessing.cluster.{module}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    try:
        assert process.stdout is not None
        found = re.search(r"on port (\d+)", process.stdout.readline())
        assert found
        yield int(found[1]), process
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[list[str], list[subprocess.Popen[str]]]]:
    """The Beam options that name the cluster, and the processes of its pools."""
    with (
        listening("pool") as (one, first),
        listening("pool") as (two, second),
        listening("server", "--workers=2") as (server, _),
    ):
        yield (
            [
                "--runner=PortableRunner",
                f"--job_endpoint=localhost:{server}",
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{one},localhost:{two}",
            ],
            [first, second],
        )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_temp(project: Any, options: list[str]) -> list[str]:
    (project.folder / "temp").mkdir()
    return [*options, f"--temp_location={project.folder / 'temp'}"]


def is_working(worker: psutil.Process) -> bool:
    """Whether it has connections for its log and control and, since it was given work, for data."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = [each for each in worker.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED]
        return len(found) >= 3
    return False


def workers_of(pools: list[subprocess.Popen[str]]) -> list[list[psutil.Process]]:
    return [psutil.Process(pool.pid).children() for pool in pools]


def test_a_cluster_of_processes_gives_the_bytes_of_one(project: Any, cluster: Any) -> None:
    for number in range(3):
        project.write(f"part-{number}.csv", "user_id,item_id,rating,time\n" + ROWS + BROKEN)
    project.write(
        "items.csv", "item_id,title,genre\n" + "".join(f'i{n},"Toy, {n}",g{n % 3}\n' for n in range(12))
    )
    data = {"items": ITEMS, "split": {"kind": "temporal"}, "filters": {"k_core": 2}, "window": 10}
    alone = contents(project.preprocess({"path": "part-*.csv"}, **data).folder)
    options = in_temp(project, cluster[0])
    shared = contents(project.preprocess({"path": "part-*.csv"}, beam_options=options, **data).folder)
    assert alone.keys() == shared.keys()
    assert [name for name in alone if alone[name] != shared[name]] == []
    assert alone["quarantine-00000-of-00001.jsonl"].count(b"\n") == 3
    assert not list((project.folder / "temp").iterdir())


def test_workers_of_every_pool_take_part(tmp_path: Path, cluster: Any) -> None:
    def lay(pipeline: beam.Pipeline) -> None:
        def note(number: int) -> None:
            parent = os.getppid()
            (tmp_path / f"{parent}-{number}").touch()

        _ = pipeline | beam.Create(range(20)) | beam.Map(note)

    run_pipeline(lay, 1, cluster[0])
    parents = {int(path.name.partition("-")[0]) for path in tmp_path.iterdir()}
    assert parents == {pool.pid for pool in cluster[1]}


def test_an_input_error_of_a_step_stays_one(cluster: Any) -> None:
    def refuse(_: int) -> None:
        raise InputError("items: a.csv: broken\nusers: b.csv: broken")

    with pytest.raises(InputError) as error:
        run_pipeline(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(refuse), 1, cluster[0])
    assert str(error.value) == "items: a.csv: broken\nusers: b.csv: broken"


def test_a_worker_that_is_killed_ends_the_run_and_leaves_the_output(project: Any, cluster: Any) -> None:
    project.write("interactions.csv", "user_id,item_id,rating,time\n" + ROWS * 200)
    for name in ("schema.json", "statistics.json"):
        project.write(f"examples/{name}", "an earlier run")
    options, pools = cluster
    earlier = {worker.pid for workers in workers_of(pools) for worker in workers}

    def kill() -> None:
        for worker in itertools.chain.from_iterable(workers_of(pools)[0] for _ in itertools.repeat(None)):
            if worker.pid not in earlier and is_working(worker):
                worker.kill()
                return

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    with pytest.raises(WorkerLostError, match="a worker process ended in the middle of its work"):
        project.preprocess(beam_options=in_temp(project, options))
    killing.join()
    left = {path.name: path.read_text() for path in project.output.iterdir()}
    assert left == {"schema.json": "an earlier run", "statistics.json": "an earlier run"}
    assert not list((project.folder / "temp").iterdir())


def test_a_worker_that_ends_before_it_connects_is_noticed(cluster: Any) -> None:
    options, _ = cluster
    with listening("pool") as (port, pool):
        named = [option for option in options if not option.startswith("--environment_config")]

        def kill_all() -> None:
            # They need far longer than this to import Beam, without which they cannot connect.
            while not ended.is_set():
                for worker in psutil.Process(pool.pid).children():
                    worker.kill()
                ended.wait(0.02)

        ended = threading.Event()
        killing = threading.Thread(target=kill_all)
        killing.start()
        try:
            with pytest.raises(
                WorkerLostError, match=r"ended before it had connected.* ended with exit code -9"
            ):
                run_pipeline(
                    lambda pipeline: pipeline | beam.Create([1]) | beam.Map(print),
                    1,
                    [*named, f"--environment_config=localhost:{port}"],
                )
        finally:
            ended.set()
            killing.join()


def test_a_pool_that_ends_takes_its_workers_along(cluster: Any) -> None:
    options, _ = cluster
    with listening("pool") as (port, pool):
        named = [option for option in options if not option.startswith("--environment_config")]
        beam_options = [*named, f"--environment_config=localhost:{port}"]
        started: list[psutil.Process] = []

        def end(_: int) -> None:
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(60)

        def note() -> None:
            while pool.poll() is None and not started:
                started.extend(psutil.Process(pool.pid).children())
                time.sleep(0.05)

        noting = threading.Thread(target=note)
        noting.start()
        with pytest.raises(WorkerLostError):
            run_pipeline(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(end), 1, beam_options)
        noting.join()
        assert started
        gone, alive = psutil.wait_procs(started, timeout=20)
        assert gone and not alive
