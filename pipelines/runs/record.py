"""What lineage.json says about one step."""

from __future__ import annotations

from typing import Any, Literal

from preprocessing.schema import Document


class Record(Document):
    """How the artifact of a step came about.

    Attributes:
      state: `begun`, until the artifact is whole and this is `done`.
      key: a hash of the next three and the step's name; the artifact is reused while it stays the same.
      inputs: a digest of all that was read, by step or file name.
      config: the parts of the config that were read, by dotted key.
      code: a digest of the source that was run.
      attempt: names what was begun once, however often it was cut off and gone on with.
      tandem: the version of Tandem.
      started: in UTC, ISO 8601.
      seconds: how long it took, or None while it is not done; of the last go at it, after a kill.
      artifact: its path from the run folder, or None while it is not done.
      digest: of the artifact.
      seal: a digest of the artifact's marker, to notice one that somebody else wrote there.
    """

    state: Literal["begun", "done"]
    key: str
    inputs: dict[str, str]
    config: dict[str, Any]
    code: str
    attempt: str
    tandem: str
    started: str
    seconds: float | None = None
    artifact: str | None = None
    digest: str = ""
    seal: str = ""
