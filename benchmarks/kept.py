"""Keeps what was judged, so that a benchmark that was cut off goes on where it was."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from pipelines.evaluation.answers import Answers
from pipelines.evaluation.calibration import Bin
from pipelines.evaluation.peers.peer import Trial
from pipelines.evaluation.rows import Judged
from preprocessing.schema import write_whole

LABEL = "label "
"""What the names of arrays of labels begin with."""


@dataclass(frozen=True)
class Kept:
    """What was judged, and how many seconds fitting and judging took."""

    judged: Judged
    seconds: float

    def write(self, path: Path, key: str) -> None:
        """Writes it with the key of everything that it depends on; the file is whole or not there."""
        judged = self.judged
        details = {
            "key": key,
            "name": judged.name,
            "peer": judged.peer,
            "trials": [asdict(trial) for trial in judged.trials],
            "choice": asdict(judged.choice) if judged.choice else None,
            "calibration": [asdict(bin) for bin in judged.calibration],
            "seconds": self.seconds,
        }
        arrays: dict[str, Any] = {"details": np.array(json.dumps(details))}
        arrays |= {f"{LABEL}{name}": values for name, values in judged.labels.items()}
        if judged.answers is not None:
            arrays |= {"ranks": judged.answers.ranks, "top": judged.answers.top}
        content = io.BytesIO()
        np.savez(content, **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.getbuffer())

    @classmethod
    def read(cls, path: Path, key: str) -> Kept | None:
        """Reads what was kept with this key; None when there is no such thing."""
        if not path.exists():
            return None
        with np.load(path) as arrays:
            details = json.loads(str(arrays["details"]))
            answers = Answers(arrays["ranks"], arrays["top"]) if "ranks" in arrays else None
            labels = {
                name.removeprefix(LABEL): arrays[name] for name in arrays.files if name.startswith(LABEL)
            }
        if details["key"] != key:
            return None
        judged = Judged(
            name=details["name"],
            answers=answers,
            labels=labels,
            peer=details["peer"],
            trials=tuple(_trial(trial) for trial in details["trials"]),
            choice=_trial(details["choice"]) if details["choice"] else None,
            calibration=pydantic.TypeAdapter(tuple[Bin, ...]).validate_python(details["calibration"]),
        )
        return cls(judged, details["seconds"])


def _trial(values: Mapping[str, Any]) -> Trial:
    return Trial(values["settings"], values["value"])
