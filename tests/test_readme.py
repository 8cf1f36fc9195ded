"""What the README says of the Makefile; tests/test_commands.py executes its commands."""

import re

from tests.shown_commands import ROOT


def test_every_target_shown_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert targets
    for target in targets:
        assert f"\n{target}:" in makefile
