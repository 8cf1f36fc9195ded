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
