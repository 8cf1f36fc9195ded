"""The page of an evaluation, opened in a real browser."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluation.model_version import ModelVersion
from pipelines.evaluation.page.curves import read_curves
from preprocessing.schema import InputError
from tests.pipelines.browser import Browser, Seen

SECTIONS = {
    "blessing": 0,
    "accuracy": 2,
    "comparison": 2,
    "slices": 2,
    "popularity": 1,
    "predictions": 1,
    "serving": 1,
    "training": 2,
    "people": 0,
}
"""How many pictures each section has."""


@pytest.fixture(scope="module", params=[(1000, "light"), (400, "dark")], ids=["wide", "narrow and dark"])
def seen(request: pytest.FixtureRequest, browser: Browser, evaluated: tuple[Path, str]) -> Seen:
    width, scheme = request.param
    return browser.open(evaluated[0] / "report.html", width, scheme)


def test_the_browser_has_nothing_to_complain_of(seen: Seen) -> None:
    assert seen.complaints == []


def test_nothing_but_the_file_is_asked_for(seen: Seen) -> None:
    assert [url.rpartition("/")[2] for url in seen.requests] == ["report.html"]


def test_the_page_fits_the_window(seen: Seen) -> None:
    assert seen.width <= seen.pixels.shape[1]


def test_every_section_and_picture_can_be_seen(seen: Seen) -> None:
    boxes = dict(seen.sections)
    assert set(SECTIONS) <= set(boxes)
    found = [name for name, _ in seen.pictures]
    assert {name: found.count(name) for name in SECTIONS} == SECTIONS
    background = seen.pixels[2, 2].astype(int)
    for _, (left, top, right, bottom) in seen.sections:
        assert bottom - top > 60
        assert (np.abs(seen.pixels[top:bottom, left:right].astype(int) - background).max(-1) > 90).sum() > 500
    for _, (left, top, right, bottom) in seen.pictures:
        picture = seen.pixels[top:bottom, left:right].astype(int)
        assert picture.shape[0] > 120 and picture.shape[1] > 300
        # Something is drawn all over it, in the series' colours, not letters alone.
        coloured = picture.max(-1) - picture.min(-1) > 60
        assert coloured.sum() > 80
        drawn = np.abs(picture - picture[0, 0]).max(-1) > 20
        assert drawn.any(axis=1).mean() > 0.5 and drawn.any(axis=0).mean() > 0.5


def test_dark_is_dark_and_light_is_light(seen: Seen) -> None:
    wide = seen.pixels.shape[1] == 1000
    assert (seen.pixels[2, 2] > 200).all() if wide else (seen.pixels[2, 2] < 60).all()


def test_it_says_what_the_report_says(seen: Seen, evaluated: tuple[Path, str]) -> None:
    report = json.loads((evaluated[0] / "metrics.json").read_text())
    assert "Not blessed" in seen.text
    for row in report["rows"]:
        assert row["model"] in seen.text
        for metric in row["metrics"].values():
            assert f"{metric['value']:.4f}" in seen.text
    for person in report["people"]:
        for shown in person["shown"]:
            assert shown["title"] in seen.text
        assert re.search(rf"{person['user']} {person['drawn_from']}", seen.text)
    assert "because of" in seen.text


def test_a_page_needs_no_training(evaluated: tuple[Path, str], finished_run: tuple[Path, str]) -> None:
    curves = read_curves(ModelVersion(str(finished_run[0] / "model" / "1")))
    assert list(curves.quality) == list(curves.loss) == [1, 2, 3, 4, 5, 6]
    assert curves.best_epoch in curves.quality
    assert all(loss > 0 for loss in curves.loss.values())
    with pytest.raises(InputError, match="there are no logs of a training in"):
        read_curves(ModelVersion(str(evaluated[0])))
    for version in (None, ModelVersion("localhost:8500/default", 1)):
        with pytest.raises(InputError, match="does not tell how it was trained"):
            read_curves(version)
