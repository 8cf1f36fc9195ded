"""Every command that README and docs show is executed, as tests/command_steps.py says."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_steps import NOT_RUN, STEPS, Step
from tests.shown_commands import ROOT, Block, Command, blocks, commands, commands_of, lines_outside_blocks
from tests.tiny_workspace import Result, Workspace


def _matches(pattern: str, command: Command) -> bool:
    return re.fullmatch(pattern, command.text, re.DOTALL) is not None


def _step(command: Command) -> Step | None:
    return next((step for step in STEPS if _matches(step.pattern, command)), None)


def _executed() -> list[Command]:
    """Each command once, in the order of the steps."""
    once = {command.text: command for command in reversed(commands()) if _step(command)}
    return sorted(once.values(), key=lambda command: (STEPS.index(_step(command)), command.place))


EXECUTED = _executed()


class Session:
    """The workspace, and what came of the commands so far."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.results: dict[Command, Result] = {}

    def result(self, command: Command) -> Result:
        """Executes it, after all that stand before it."""
        for each in EXECUTED[: EXECUTED.index(command) + 1]:
            if each not in self.results:
                step = _step(each)
                step.before(self.workspace)
                with self.inside(step.folder):
                    self.results[each] = self.workspace.execute(each, step.shorter)
        return self.results[command]

    @contextlib.contextmanager
    def inside(self, folder: str) -> Iterator[None]:
        before = Path.cwd()
        os.chdir(self.workspace.folder / folder)
        try:
            yield
        finally:
            os.chdir(before)


@pytest.fixture(scope="module")
def session(tmp_path_factory, tiny_bert) -> Iterator[Session]:
    workspace = Workspace(tmp_path_factory.mktemp("workspace"), tiny_bert)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in workspace.environment.items():
            patch.setenv(name, value)
        yield Session(workspace)
        workspace.stop_serving()


@pytest.mark.parametrize("command", EXECUTED, ids=lambda command: command.place)
def test_a_command_does_what_is_said_of_it(session, command):
    result = session.result(command)
    with session.inside(_step(command).folder):
        _step(command).check(result)


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.place)
def test_a_command_is_executed_or_there_is_a_reason(command):
    rules = [rule for rule in (*(step.pattern for step in STEPS), *NOT_RUN) if _matches(rule, command)]
    assert rules, (
        f"{command.place}: `{command.text}` is in neither STEPS nor NOT_RUN of tests/command_steps.py"
    )
    assert len(rules) == 1, f"{command.place}: `{command.text}` matches more than one of {rules}"


@pytest.mark.parametrize("rule", [*(step.pattern for step in STEPS), *NOT_RUN])
def test_a_rule_is_needed(rule):
    assert any(_matches(rule, command) for command in commands()), f"no page shows {rule!r}"


def test_an_unexecuted_command_names_files_that_are_there():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"runs", ".venv"}
    for command in commands():
        if _step(command) is None:
            for word in command.words:
                if "/" in word and word.split("/")[0] in folders:
                    assert (ROOT / word).exists(), f"{command.place}: there is no {word}"


def test_a_benchmark_has_tests_of_its_own():
    for command in commands():
        for name in re.findall(r"benchmarks/(\w+)\.py", command.text):
            tests = ROOT / "tests" / "benchmarks" / f"test_{name}.py"
            assert tests.exists(), f"{command.place}: {tests.relative_to(ROOT)} is missing"
            assert f'"{name}.py"' in tests.read_text(encoding="utf-8"), f"{tests.name} does not run {name}.py"


def test_commands_stand_in_blocks_of_bash():
    programs = "|".join(sorted({re.escape(command.words[0]) for command in commands()}))
    for place, line in lines_outside_blocks():
        assert not re.match(rf" {{4,}}\$? ?({programs}) ", line), (
            f"{place}: no block of bash holds `{line.strip()}`"
        )
    assert {block.language for block in blocks()} <= {"", "bash", "python", "yaml"}


def test_commands_are_read_as_a_shell_reads_them():
    lines = (
        "# setup",
        "tandem run --config a.yaml \\",
        '  --require "ndcg@10>0"   # status 1',
        "",
        "tandem serve &",
    )
    run, serve = commands_of(Block("docs/page.md", 7, "bash", lines))
    assert (run.place, run.words) == (
        "docs/page.md:8",
        ("tandem", "run", "--config", "a.yaml", "--require", "ndcg@10>0"),
    )
    assert (serve.place, serve.text) == ("docs/page.md:11", "tandem serve")
