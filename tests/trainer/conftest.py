import csv
import dataclasses
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from rich.console import Console

from preprocessing.config import DataConfig
from preprocessing.pipeline import preprocess
from preprocessing.schema import Schema
from trainer.config import ExportConfig, PortableConfig, TrainerConfig
from trainer.export import export
from trainer.progress import Progress
from trainer.rebuild import reindex
from trainer.result import TrainResult
from trainer.train import train
from trainer.version import Version

ITEMS = 40
USERS = 60


def write_tables(folder: Path) -> None:
    """Users of two tastes: each watches films of one half of the catalogue, mostly in a fixed order."""
    generator = random.Random(7)
    words = ["red", "blue", "old", "new", "star", "home", "river", "night"]
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["item_id", "title", "genres", "year", "length"])
        for item in range(ITEMS + 2):  # the last two are never interacted with
            title = f"{generator.choice(words)} {generator.choice(words)} {item}"
            genres = "|".join(sorted({"drama" if item % 2 else "action", generator.choice(["war", "love"])}))
            writer.writerow([f"i{item}", title, genres, 1990 + item % 5, "" if item % 7 == 0 else 80 + item])
    with (folder / "users.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["user_id", "gender", "age", "about"])
        for user in range(USERS):
            writer.writerow([f"u{user}", "FM"[user % 2], 20 + user, f"likes {words[user % 2]} films"])
    with (folder / "interactions.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["user_id", "item_id", "rating", "time"])
        for user in range(USERS):
            begin = generator.randrange(ITEMS // 2)
            for step in range(generator.randrange(4, 12)):
                item = 2 * ((begin + step) % (ITEMS // 2)) + user % 2
                rating = 1 + (user % 3) + (item % 3)
                writer.writerow([f"u{user}", f"i{item}", rating, 1000 + step])


def data_config(tiny_bert: Path, label: bool = True) -> DataConfig:
    columns = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}, "time": {"kind": "time"}}
    if label:
        columns["rating"] = {"kind": "label"}
    return DataConfig.model_validate(
        {
            "interactions": {"path": "interactions.csv", "columns": columns},
            "items": {
                "path": "items.csv",
                "columns": {
                    "item_id": {"kind": "id"},
                    "title": {"kind": "text"},
                    "genres": {"kind": "multi", "in_text": True},
                    "year": {"kind": "categorical"},
                    "length": {"kind": "numeric"},
                },
            },
            "users": {
                "path": "users.csv",
                "columns": {
                    "user_id": {"kind": "id"},
                    "gender": {"kind": "categorical"},
                    "age": {"kind": "numeric"},
                    "about": {"kind": "text"},
                },
            },
            "language_model": {"path": str(tiny_bert), "max_tokens": 16},
        }
    )


@pytest.fixture(scope="session")
def examples(tmp_path_factory, tiny_bert) -> Path:
    folder = tmp_path_factory.mktemp("trainer")
    write_tables(folder)
    preprocess(data_config(tiny_bert), "tiny", folder, folder / "examples")
    return folder / "examples"


@pytest.fixture(scope="session")
def schema(examples) -> Schema:
    return Schema.read(examples)


@pytest.fixture(scope="session")
def config() -> TrainerConfig:
    return TrainerConfig.model_validate(
        {
            "model": {
                "dimension": 16,
                "history": 8,
                "blocks": 1,
                "dropout": 0.1,
                "item_tokens": True,
                "loss": {"alpha": 0.5},
            },
            "train": {"epochs": 12, "batch_size": 16, "learning_rate": 0.01, "patience": 12},
            "export": {"k": 10, "candidates": 20},
        }
    )


@pytest.fixture(scope="session")
def progress() -> Progress:
    return Progress(Console(quiet=True))


@pytest.fixture(scope="session")
def training(tmp_path_factory, examples, config, progress) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "training"
    train(examples, folder, config, progress)
    return folder


def learned(training: Path, folder: str) -> dict[str, np.ndarray]:
    """What a training's newest checkpoint holds, by name: weights, averages and what the optimizer keeps."""
    checkpoint = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(training / folder)))
    names = checkpoint.get_variable_to_dtype_map()
    return {name: checkpoint.get_tensor(name) for name in names if not name.startswith("_")}


def assert_same_learned(training: Path, other: Path, folder: str = "checkpoints") -> None:
    """Two trainings came to the same, but for last bits: a session of another test may have set the threads
    of this process, and with their number the order of sums changes.
    """
    results = [dataclasses.asdict(TrainResult.read(each)) for each in (training, other)]
    assert results[0].pop("fingerprint") == results[1].pop("fingerprint")
    assert results[0] == pytest.approx(results[1], rel=1e-4)
    expected, found = learned(training, folder), learned(other, folder)
    assert expected.keys() == found.keys() and len(expected) > 10
    for name, value in expected.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-3, err_msg=name)
        else:
            assert np.array_equal(found[name], value), name


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, examples, training, config, progress) -> Path:
    return export(examples, training, tmp_path_factory.mktemp("exported"), config, progress)


@pytest.fixture(scope="session")
def portable_folder(tmp_path_factory, model_folder, config, progress) -> Path:
    """The same model with a portable index of several leaves, few of which are read."""
    sizes = PortableConfig(brute_force_below=5, leaves=6, leaves_to_search=2)
    portable: ExportConfig = config.export.model_copy(update={"index": "portable", "portable": sizes})
    return reindex(Version.read(model_folder), portable, tmp_path_factory.mktemp("portable"), progress)


def load_signatures(folder: Path):
    """Calls a SavedModel's signatures with plain lists of strings."""
    import scann.scann_ops.py.scann_ops
    import tensorflow_text  # noqa: F401 (registers ops)

    assert scann
    loaded = tf.saved_model.load(str(folder))

    def call(signature, **inputs):
        tensors = {name: tf.constant(np.asarray(value, object), tf.string) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in loaded.signatures[signature](**tensors).items()}

    return call


@pytest.fixture(scope="session")
def signatures(model_folder):
    return load_signatures(model_folder)


@pytest.fixture(scope="session")
def portable_signatures(portable_folder):
    return load_signatures(portable_folder)


@pytest.fixture(scope="session")
def load():
    return load_signatures


def kill_and_go_on(
    folder: Path, examples: Path, config: TrainerConfig, enough: Callable[[list[str]], bool]
) -> list[int]:
    """Trains with `kill -9` when `enough` has been printed, then once more with the same command.

    Args:
      folder: that will hold `training` and `model`.
      examples: to train on.
      config: of the training.
      enough: is told all lines so far.

    Returns:
      the numbers of the epochs that the second command trained.
    """
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", by_alias=True)), encoding="utf-8")
    command = [sys.executable, "-m", "trainer.task", f"--examples={examples}", f"--config={path}"]
    command += [f"--training={folder / 'training'}", f"--model={folder / 'model'}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if enough(lines):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert TrainResult.read(folder / "training") is None
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (folder / "model" / "1" / "saved_model.pb").exists()
    return [int(line.split()[1]) for line in again.splitlines() if line.startswith("epoch ")]
