import io
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.distribution import launch
from trainer.progress import Progress
from trainer.result import TrainResult
from trainer.train import train


@pytest.fixture
def on_two_workers(config):
    def make(id_tables: str = "replicated", **changes) -> TrainerConfig:
        values = config.model_dump(mode="json", by_alias=True)
        two = {"kind": "multi_worker", "workers": 2, "id_tables": id_tables}
        values["train"] |= {"distribution": two, "epochs": 4} | changes
        if id_tables == "sharded":
            values["model"]["negatives"] |= {"kind": "sampled", "uniform": 10}
        return TrainerConfig.model_validate(values)

    return make


def started(folder: Path, examples: Path, config: TrainerConfig) -> subprocess.Popen:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", by_alias=True)), encoding="utf-8")
    command = [sys.executable, "-m", "trainer.task", f"--examples={examples}", f"--config={path}"]
    command += [f"--training={folder / 'training'}", f"--model={folder / 'model'}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def workers_of(process: subprocess.Popen) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_worker_is_started_again_and_finds_its_rows(tmp_path, examples, on_two_workers):
    """The tables are divided among the workers, the harder case: one that is lost takes its rows along."""
    process = started(tmp_path, examples, on_two_workers(id_tables="sharded"))
    lines, killed = [], False
    for line in process.stdout:
        lines.append(line)
        if line.startswith("epoch   2") and not killed:
            victim = random.Random(5).choice(workers_of(process))
            os.kill(victim, signal.SIGKILL)
            killed = True
    assert process.wait() == 0
    assert any("was lost; all start again from the newest checkpoint" in line for line in lines)
    epochs = [int(line.split()[1]) for line in lines if line.startswith("epoch ")]
    assert sorted(set(epochs)) == [1, 2, 3, 4] and epochs[-1] == 4
    assert TrainResult.read(tmp_path / "training").epochs == 4
    assert (tmp_path / "model" / "1" / "saved_model.pb").exists()


def test_workers_end_with_the_one_that_started_them_and_one_device_goes_on(
    tmp_path, examples, on_two_workers, config
):
    process = started(tmp_path, examples, on_two_workers())
    for line in process.stdout:
        if line.startswith("epoch "):
            break
    workers = workers_of(process)
    assert len(workers) == 2 and all(map(is_running, workers))
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))
    alone = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 4})})
    output = io.StringIO()
    result = train(examples, tmp_path / "training", alone, Progress(Console(file=output, width=200)))
    epochs = [int(line.split()[1]) for line in output.getvalue().splitlines() if line.startswith("epoch ")]
    assert result.epochs == 4 and epochs and epochs == list(range(epochs[0], 5)) and epochs[0] > 1


def test_what_a_worker_refuses_is_told(tmp_path, examples, on_two_workers, progress):
    wild = on_two_workers(learning_rate=1e30)
    with pytest.raises(InputError, match=r"the loss became (nan|inf) in epoch \d+; a lower train.learning"):
        train(examples, tmp_path / "training", wild, progress)


def test_workers_that_are_lost_again_and_again_are_given_up(
    tmp_path, examples, on_two_workers, progress, monkeypatch
):
    monkeypatch.setattr(launch.sys, "executable", "/bin/false")
    with pytest.raises(InputError, match="3 times in a row workers were lost before an epoch was done"):
        train(examples, tmp_path / "training", on_two_workers(), progress)


def test_epochs_cannot_be_reported_to_this_process(tmp_path, examples, on_two_workers, progress):
    with pytest.raises(InputError, match="multi_worker trains in other processes"):
        train(examples, tmp_path / "training", on_two_workers(), progress, callbacks=[object()])
