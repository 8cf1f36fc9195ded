import json

import pytest
from rich.console import Console

from pipelines.config import RunConfig
from pipelines.evaluation.requirements import Blessing, Finding
from pipelines.runs.display import Display
from pipelines.runs.errors import NotBlessedError
from pipelines.runs.job import Job
from pipelines.steps import GRAPH
from pipelines.work.push import push
from preprocessing.schema import InputError, folder_digest
from trainer.config import ExportConfig, SearchConfig
from trainer.version import DETAILS_FILE, EXTRA, Details, writing_alone

CONFIG = """
data:
  interactions:
    path: interactions.csv
    columns: {user_id: {kind: id}, item_id: {kind: id}}
"""


class Pushing:
    """Pushes small folders that say what an exported version says."""

    def __init__(self, base):
        self.base = base
        self.serving = base / "run" / "serving"
        self.config = base / "config.yaml"
        self.config.write_text(CONFIG)
        self.bless(True)

    def version(self, number, attempt, items=12):
        folder = self.base / "run" / "model" / str(number)
        (folder / EXTRA).mkdir(parents=True)
        (folder / "saved_model.pb").write_text(attempt)
        details = Details(
            name="toy",
            items=items,
            dimension=4,
            blend=0.0,
            validation={},
            fingerprint="f",
            attempt=attempt,
            search=SearchConfig(),
            export=ExportConfig(),
        )
        (folder / EXTRA / DETAILS_FILE).write_text(details.model_dump_json())
        return folder

    def bless(self, blessed):
        finding = Finding(requirement="ndcg@10>=0.2", value=0.125, holds=blessed)
        Blessing(blessed=blessed, model=None, data="toy", part="test", findings=(finding,)).write(
            self.base / "run" / "evaluation"
        )

    def push(self, version):
        artifacts = {"export": version, "bless": self.base / "run" / "evaluation" / "blessing.json"}
        display = Display(Console(quiet=True), GRAPH.names)
        job = Job(self.base / "run", RunConfig.read(self.config), 1, None, display, artifacts)
        return push(job)


@pytest.fixture
def pushing(tmp_path):
    return Pushing(tmp_path)


def test_each_model_becomes_the_next_version(pushing):
    first, second = pushing.version(4, "a"), pushing.version(5, "b")
    for number, version in ((1, first), (2, second)):
        artifact = pushing.push(version)
        assert artifact.path == pushing.serving / str(number)
        assert artifact.digest == folder_digest(artifact.path) == folder_digest(version)


def test_what_was_pushed_just_before_a_kill_is_not_pushed_twice(pushing):
    version = pushing.version(1, "a")
    assert pushing.push(version) == pushing.push(version)
    assert [path.name for path in pushing.serving.iterdir()] == ["1"]
    # Items that were added to what is served make no other model of it.
    details = pushing.serving / "1" / EXTRA / DETAILS_FILE
    details.write_text(json.dumps(json.loads(details.read_text()) | {"items": 15, "added": 3}))
    assert pushing.push(version).path == pushing.serving / "1"


def test_what_a_killed_push_left_is_not_served(pushing):
    scratch = pushing.serving / ".1.partial"
    scratch.mkdir(parents=True)
    (scratch / "half").write_text("half")
    pushing.push(pushing.version(1, "a"))
    assert not scratch.exists()
    assert not (pushing.serving / "1" / "half").exists()


def test_a_version_of_others_stays(pushing):
    (pushing.serving / "7").mkdir(parents=True)
    assert pushing.push(pushing.version(1, "a")).path == pushing.serving / "8"


def test_a_model_that_is_not_blessed_is_not_pushed(pushing):
    pushing.push(pushing.version(1, "a"))
    pushing.bless(False)
    with pytest.raises(NotBlessedError) as error:
        pushing.push(pushing.version(2, "b"))
    assert "model/2 is not blessed and was not pushed:\n  ndcg@10>=0.2: it has 0.1250\n" in str(error.value)
    assert str(error.value).endswith("serving/1 stays the newest version there")
    assert [path.name for path in pushing.serving.iterdir()] == ["1"]


def test_a_relative_folder_starts_at_the_config(pushing):
    pushing.config.write_text(CONFIG + "push: {folder: served/toy}\n")
    assert pushing.push(pushing.version(1, "a")).path == pushing.base / "served" / "toy" / "1"


def test_one_command_at_a_time_pushes(pushing):
    version = pushing.version(1, "a")
    with writing_alone(pushing.serving), pytest.raises(InputError, match="another command is writing"):
        pushing.push(version)
    assert pushing.push(version)
