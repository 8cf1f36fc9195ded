"""What an evaluation leaves behind: one folder for programs and for people."""

from __future__ import annotations

from pathlib import Path

from pipelines.evaluation.files import METRICS_FILE, PAGE_FILE
from pipelines.evaluation.page.page import write_page
from pipelines.evaluation.report import Report
from pipelines.evaluation.requirements import Blessing


def write_evaluation(folder: Path, report: Report, blessing: Blessing) -> None:
    """Writes `metrics.json`, `report.html` and, last, `blessing.json`; each is whole or not there."""
    report.write(folder / METRICS_FILE)
    write_page(folder / PAGE_FILE, report, blessing)
    blessing.write(folder)
