"""A folder in which the commands of the docs run: files of the names they use, tiny contents."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import traceback
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from serving.server import Server
from serving.settings.options import ServerOptions
from tests.shown_commands import ROOT, Command, blocks

TINY = {
    "model": {"dimension": 16, "history": 8, "blocks": 1},
    "train": {"epochs": 1, "batch_size": 32, "learning_rate": 0.01},
    "search": {"epochs": 1, "batch_size": 32},
    "export": {"k": 10, "candidates": 20},
}
PEOPLE, FILMS, PRODUCTS = 60, 40, 24
ASKS = ("recommend", "search")


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    output: str


class Workspace:
    """The folder, and the server that runs where the docs say that one does."""

    def __init__(self, folder: Path, tiny_bert: Path) -> None:
        self.folder = folder
        self.environment = {
            "COLUMNS": "160",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
            "TANDEM_ASSET_MOVIELENS_100K": str(folder / "movielens"),
            "TANDEM_ASSET_ALL_MINILM_L6_V2": str(folder / "minilm"),
        }
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[str] | None = None
        self._server: Server | None = None
        _write_language_model(folder / "minilm", tiny_bert)
        _write_movielens(folder / "movielens")
        _write_configs(folder)
        _write_shop(folder)
        _write_vertex(folder / "bucket")

    def execute(self, command: Command, shorter: Mapping[str, str]) -> Result:
        """Runs it as it is shown, but for the ports and for settings that only make it long."""
        text = command.text
        for shown, done in shorter.items():
            assert shown in text, f"{command.place}: {shown!r} is not shown any more"
            text = text.replace(shown, done)
        # The ports in the text may be taken on this machine: servers take free ones, and those are asked.
        for port, free in self._ports.items():
            text = text.replace(f"localhost:{port}", f"localhost:{free}")
        program, *arguments = shlex.split(text)
        if program == "curl":
            return self._curl(*arguments)
        if program == "python":
            return _run_program(arguments[1])
        assert program == "tandem", f"{command.place}: nothing here runs {program!r}"
        if arguments[0] == "serve":
            return self._serve(arguments)
        if arguments[0] in ASKS and "--server" not in arguments:
            arguments += ["--server", f"localhost:{self._ports['8500']}"]
        result = CliRunner().invoke(app, arguments, input="y\n")
        if not isinstance(result.exception, (SystemExit, type(None))):
            return Result(2, result.output + "".join(traceback.format_exception(result.exception)))
        return Result(result.exit_code, result.output)

    def serve_here(self, model: Path, name: str = "default") -> None:
        """Serves a model where the docs say that a server runs which they do not start themselves."""
        self.stop_serving()
        self._server = Server(ServerOptions(str(model), model_name=name, port=0, enable_model_warmup=False))
        self._server.start()
        self._ports = {"8500": self._server.port}

    def stop_serving(self) -> None:
        """Ends the server, which has to end well."""
        if self._server is not None:
            self._server.stop(grace=0)
            self._server = None
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate()
            assert self._process.returncode == 0
            self._process = None

    def _serve(self, arguments: list[str]) -> Result:
        """A process of its own, until another server is wanted: `tandem serve` needs the main thread."""
        self.stop_serving()
        rest = str(_free_port())
        arguments = [re.sub(r"(--rest_api_port=)\d+", rf"\g<1>{rest}", word) for word in arguments]
        command = [sys.executable, "-m", "pipelines.cli", *arguments, "--port=0"]
        with (self.folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        said = self._process.stdout.readline()
        ready = re.fullmatch(r"Running gRPC ModelServer at 0\.0\.0\.0:(\d+) \.\.\.\n", said)
        assert ready, f"said {said!r} and logged {(self.folder / 'server.log').read_text()}"
        self._ports = {"8500": int(ready[1])}
        if any(word.startswith("--rest_api_port") for word in arguments):
            said += self._process.stdout.readline()
            self._ports["8501"] = int(rest)
        return Result(0, said)

    def _curl(self, url: str, option: str = "-d", body: str | None = None) -> Result:
        assert option == "-d"
        with urllib.request.urlopen(url, body.encode() if body else None, timeout=60) as answer:
            return Result(0, answer.read().decode())


def _run_program(text: str) -> Result:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(text, "a program of the docs", "exec"), {})  # noqa: S102
    return Result(0, output.getvalue())


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        return int(taken.getsockname()[1])


def _write_language_model(folder: Path, tiny_bert: Path) -> None:
    shutil.copytree(tiny_bert, folder)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    (folder / "special_tokens_map.json").write_text("{}")


def _write_movielens(folder: Path) -> None:
    """MovieLens-100K in small, with the people and films that the docs ask for."""
    folder.mkdir()
    generator = random.Random(3)
    people = ["196", "778", "894", *map(str, range(1, PEOPLE - 2))]
    films = ["50", "100", "181", *map(str, range(1, FILMS - 2))]
    genres = ("Action Adventure", "Animation Children", "Drama", "Musical Romance")
    words = ["star", "king", "toy", "love", "night", "river", "dragon", "music"]
    ratings = [
        f"{person}\t{film}\t{generator.randrange(1, 6)}\t{8_000_000 + place}"
        for person in people
        for place, film in enumerate(generator.sample(films, generator.randrange(6, 12)))
    ]
    catalogue = [
        f"{film}\t{' '.join(generator.sample(words, 2))} {film}\t{1980 + place % 9}\t{genres[place % 4]}"
        for place, film in enumerate(films)
    ]
    persons = [f"{person}\t{20 + place}\t{'FM'[place % 2]}\twriter\t0" for place, person in enumerate(people)]
    for name, header, rows in (
        ("inter", "user_id:token item_id:token rating:float timestamp:float", ratings),
        ("item", "item_id:token movie_title:token_seq release_year:token class:token_seq", catalogue),
        ("user", "user_id:token age:token gender:token occupation:token zip_code:token", persons),
        ("kg", "head_id:token relation_id:token tail_id:token", []),
        ("link", "item_id:token entity_id:token", []),
    ):
        lines = [header.replace(" ", "\t"), *rows]
        (folder / f"ml-100k.{name}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_configs(folder: Path) -> None:
    """The configs of the repository that the docs name; their tables are those of the small MovieLens."""
    (folder / "configs").mkdir()
    values = yaml.safe_load((ROOT / "configs" / "movielens-100k.yaml").read_text(encoding="utf-8"))
    _write_yaml(folder / "configs" / "movielens-100k.yaml", {**values, **TINY})
    shutil.copy(ROOT / "configs" / "movielens-100k-tune.yaml", folder / "configs")


def _write_shop(folder: Path) -> None:
    """The README's own config, tables that stand as it says, and its new item."""
    (shown,) = (block for block in blocks("yaml") if block.page == "README.md")
    _write_yaml(folder / "shop.yaml", {**yaml.safe_load(shown.text), **TINY, "search": {"enabled": False}})
    generator = random.Random(5)
    clicks = [
        f"c{customer},p{product},2024-03-{place + 1:02}T10:00:00,fine"
        for customer in range(40)
        for place, product in enumerate(generator.sample(range(PRODUCTS - 1), 6))
    ]
    # Bought last alone, so that a test part that leaves the last out has an item that training never saw.
    clicks += [f"c{customer},p{PRODUCTS - 1},2024-04-01T10:00:00,new" for customer in range(4)]
    (folder / "purchases.csv").write_text("customer,product,when,comment\n" + "\n".join(clicks) + "\n")
    facts = [f"q{product}\tmade in\tq{50 + product % 2}" for product in range(PRODUCTS)]
    (folder / "facts.tsv").write_text("head\trelation\ttail\n" + "\n".join(facts) + "\n")
    links = [f"p{product}\tq{product}" for product in range(PRODUCTS)]
    (folder / "links.tsv").write_text("item_id\tentity_id\n" + "\n".join(links) + "\n")
    (folder / "products.jsonl").write_text(
        "".join(
            f'{{"product": "p{product}", "title": "Soap &amp; brush {product}", "description": "good", '
            f'"category": "home", "tags": "a|b", "price": {product}.5}}\n'
            for product in range(PRODUCTS)
        )
    )
    (row,) = re.findall(r"--items new\.jsonl +# (\{.*\})", (ROOT / "README.md").read_text(encoding="utf-8"))
    (folder / "new.jsonl").write_text(row.replace("p-9", "p-90") + "\n", encoding="utf-8")


def _write_vertex(folder: Path) -> None:
    """The config that docs/vertex.md shows, of which only the columns are left out there."""
    folder.mkdir()
    (shown,) = (block for block in blocks("yaml") if block.page == "docs/vertex.md")
    values = yaml.safe_load(shown.text)
    values["data"]["interactions"]["columns"] = {"user_id": {"kind": "id"}, "item_id": {"kind": "id"}}
    _write_yaml(folder / "shop.yaml", values)


def _write_yaml(path: Path, values: Mapping[str, object]) -> None:
    path.write_text(yaml.safe_dump(dict(values), sort_keys=False), encoding="utf-8")
