import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from preprocessing.assets import resolve_path
from tests.pipelines.browser import Browser, chromium

ROOT = Path(__file__).parents[2]
USERS = 80


@pytest.fixture(scope="session")
def slice_config(tmp_path_factory, tiny_bert) -> Path:
    """A config for a real slice of MovieLens-100K (80 people), with a tiny language model and model."""
    folder = tmp_path_factory.mktemp("slice")
    for name in ("inter", "item", "user"):
        source = Path(resolve_path(f"asset://movielens-100k/ml-100k.{name}", folder))
        lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
        if name == "inter":
            lines = [lines[0], *(line for line in lines[1:] if int(line.split("\t")[0]) <= USERS)]
        (folder / f"slice.{name}").write_text("".join(lines), encoding="utf-8")
    config = yaml.safe_load((ROOT / "configs" / "movielens-100k.yaml").read_text(encoding="utf-8"))
    for table, name in (("interactions", "inter"), ("items", "item"), ("users", "user")):
        config["data"][table]["path"] = f"slice.{name}"
    config["name"] = "slice"
    config["data"]["language_model"] = {"path": str(tiny_bert), "max_tokens": 16}
    config["model"] = {"dimension": 16, "history": 20, "blocks": 1}
    config["train"] = {"epochs": 6, "learning_rate": 0.01, "patience": 6}
    config["export"] = {"k": 20, "candidates": 40}
    path = folder / "slice.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


class Tandem:
    """Runs the real command in processes of its own."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "160"},
            start_new_session=True,
        )

    def __call__(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        process = self.start(*arguments)
        output, errors = process.communicate()
        assert process.returncode == status, output + errors
        assert "Traceback" not in errors
        return output, errors

    def killed_at(self, line: str, *arguments: str) -> None:
        """Starts the command and, once it prints such a line, kills it and all its processes."""
        process = self.start(*arguments)
        seen = list(itertools.takewhile(lambda printed: not re.match(line, printed), process.stdout))
        assert process.poll() is None, f"ended before {line!r} was printed: {''.join(seen)}"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    @contextlib.contextmanager
    def serving(self, model: Path) -> Iterator[str]:
        """Runs `tandem serve` until the block ends; gives its address."""
        process = self.start("serve", f"--model_base_path={model}", "--port=0")
        ready = re.search(r"Running gRPC ModelServer at [^:]+:(\d+)", process.stdout.readline())
        assert ready, process.stderr.read()
        yield f"localhost:{ready[1]}"
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 0


@pytest.fixture(scope="session")
def tandem() -> Tandem:
    return Tandem()


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, tandem, slice_config) -> tuple[Path, str]:
    """A run folder made by the real command, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "slice"
    output, _ = tandem("run", "--config", slice_config, "--output", folder)
    return folder, output


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory, tandem, finished_run) -> tuple[Path, str]:
    """What `tandem evaluate` wrote and printed of the run's model, with a baseline and requirements."""
    folder, _ = finished_run
    output = tmp_path_factory.mktemp("evaluated") / "evaluation"
    printed, _ = tandem(
        *("evaluate", "--model", folder / "model", "--examples", folder / "examples", "--output", output),
        *(
            "--baseline",
            folder / "model" / "1",
            "--require",
            "ndcg@10>0.02",
            "--require",
            "recall@10[head]>1",
        ),
        status=1,
    )
    return output, printed


@pytest.fixture
def examples(tmp_path) -> Path:
    """The tiny split that is written out by hand."""
    from tests.pipelines.small_split import write_examples

    write_examples(tmp_path / "examples")
    return tmp_path / "examples"


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """Debian's chromium, running."""
    yield from chromium(tmp_path_factory.mktemp("chromium"))
