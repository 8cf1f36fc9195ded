import io
import re

import pytest
from rich.console import Console

from pipelines.runs.display import Display

STEPS = ("grow", "cook", "serve", "wash")


def _console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, highlight=False)


def _run(console: Console) -> str:
    display = Display(console, STEPS)
    with display.shown():
        display.taken("grow")
        display.reused("cook")
        display.begun("serve")
        display.phase("laying the table")
        progress = display.progress
        with progress.bar("Reading", 3) as advance:
            advance(2)
        with progress.training(0, 5):
            progress.epoch(1, 0.5, {"ndcg@10": 0.25}, 1)
        with display.bars() as bars:
            bars.update(bars.add_task("Judging", total=4), advance=1)
        display.done("serve", 1.25)
    return console.file.getvalue()


def _rows(text: str) -> list[list[str]]:
    return [re.split(r"\s*│\s*", line)[1:-1] for line in text.splitlines() if line.startswith("│")]


def test_without_a_terminal_it_is_plain_lines():
    text = _run(_console(terminal=False))
    assert "\x1b" not in text
    assert text.splitlines()[:7] == [
        "grow: taken as it is",
        "cook: nothing has changed, reused",
        "serve: begun",
        "laying the table",
        "Reading (3)",
        "epoch   1  loss 0.5000  ndcg@10 0.2500  best",
        "serve: done in 1.2 s",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_in_the_end_a_table_of_the_steps_stays(terminal):
    rows = _rows(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", _run(_console(terminal))))
    assert rows[-3:] == [["grow", "taken as it is"], ["cook", "reused"], ["serve", "1.2"]]


def test_on_a_terminal_the_steps_and_the_bars_of_the_one_at_work_are_one_list():
    console = _console(terminal=True)
    display = Display(console, STEPS)
    with display.shown():
        display.reused("grow")
        display.done("cook", 2.0)
        display.begun("serve")
        # Bars are live displays themselves, of which rich shows one: these stand in the run's.
        with display.progress.bar("Reading", 3) as advance, display.bars() as bars:
            advance(2)
            bars.add_task("Judging", total=4)
            console.file.truncate(0)
            console.file.seek(0)
            display.phase("laying the table")
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", console.file.getvalue())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    shown = lines[-6:]
    assert shown[0] == "= grow reused"
    assert shown[1] == "✓ cook 2.0 s"
    assert re.fullmatch(r"\S serve 0 s laying the table", shown[2])
    assert shown[3] == "wash waiting"
    assert shown[4].startswith("Reading") and "2/3" in shown[4]
    assert shown[5].startswith("Judging")


def test_a_run_that_fails_leaves_no_live_display():
    console = _console(terminal=True)
    with pytest.raises(KeyError), Display(console, STEPS).shown():
        raise KeyError
    console.file.truncate(0)
    console.print("after")
    assert console.file.getvalue().strip("\0") == "after\n"
