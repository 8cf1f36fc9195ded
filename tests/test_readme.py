"""What the README shows is what works."""

import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.config import RunConfig

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_example_config_preprocesses_such_tables(tmp_path, tiny_bert):
    """The tables stand as the config says; only the language model is a tiny one."""
    from preprocessing.pipeline import preprocess

    (config,) = _blocks("yaml")
    values = yaml.safe_load(config)
    values["data"]["language_model"] = {"path": str(tiny_bert)}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    rows = [
        f"c{user},p{(user + step) % 7},2024-03-0{step + 1}T10:00:00,fine"
        for user in range(6)
        for step in range(5)
    ]
    (tmp_path / "purchases.csv").write_text("customer,product,when,comment\n" + "\n".join(rows) + "\n")
    facts = [f"q{item}\tmade in\tq{50 + item % 2}" for item in range(7)]
    (tmp_path / "facts.tsv").write_text("head\trelation\ttail\n" + "\n".join(facts) + "\n")
    links = [f"p{item}\tq{item}" for item in range(7)]
    (tmp_path / "links.tsv").write_text("item_id\tentity_id\n" + "\n".join(links) + "\n")
    (tmp_path / "products.jsonl").write_text(
        "".join(
            f'{{"product": "p{item}", "title": "Soap &amp; brush {item}", "description": "good", '
            f'"category": "home", "tags": "a|b", "price": {item}.5}}\n'
            for item in range(7)
        )
    )
    read = RunConfig.read(tmp_path / "shop.yaml")
    assert (read.trainer.model.history, read.trainer.train.epochs) == (50, 30)
    schema = preprocess(read.data, read.name, read.base, tmp_path / "examples")
    assert schema.counts["train"] == 6 and schema.counts["items"] == 7
    assert {feature.name for feature in schema.items.features} == {"category", "tags", "price", "knowledge"}
    assert [column.name for column in schema.users.text.columns] == ["comment"]


def test_every_command_shown_exists_with_its_options():
    commands = [
        line for block in _blocks("bash") for line in block.splitlines() if line.startswith("tandem ")
    ]
    assert commands
    for line in commands:
        command = re.match(r"tandem((?: [a-z]+)+)", line).group(1).split()
        shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, line
        for option in re.findall(r"--[\w-]+", line):
            assert option in shown.output, line


def test_the_python_client_is_valid():
    (program,) = _blocks("python")
    compile(program, "README.md", "exec")
    assert "from serving.client import Client" in program


def test_every_target_shown_is_in_the_makefile():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert f"\n{target}:" in makefile
