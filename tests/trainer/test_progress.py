import io

from rich.console import Console

from trainer.progress import Progress


def test_a_bar_joins_those_of_the_training():
    """A terminal can show one set of bars at a time."""
    stream = io.StringIO()
    progress = Progress(Console(file=stream, force_terminal=True, color_system=None))
    with progress.training(1, 3):
        with progress.bar("Reading", 10) as advance:
            advance(10)
        progress.epoch(2, 0.5, {}, 2)
        with progress.bar("Reading", 10) as advance:
            advance(10)
    assert "epoch   2  loss 0.5000" in stream.getvalue()


def test_a_log_has_a_line_for_a_bar():
    stream = io.StringIO()
    with Progress(Console(file=stream)).bar("Reading", 1234) as advance:
        advance(1234)
    assert stream.getvalue() == "Reading (1,234)\n"


def test_what_is_said_is_printed_as_it_is():
    stream = io.StringIO()
    progress = Progress(Console(file=stream, width=20))
    path = "runs/[v2]/[bold]/folder with a long name/training"
    progress.say(f"written to {path}")
    with progress.bar(f"Reading {path}", 1):
        pass
    assert stream.getvalue() == f"written to {path}\nReading {path} (1)\n"


def test_brackets_in_a_bar_are_no_markup():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, width=100)
    with Progress(console).bar("Reading [v2]", 1) as advance:
        advance(1)
    assert "Reading [v2]" in stream.getvalue()
