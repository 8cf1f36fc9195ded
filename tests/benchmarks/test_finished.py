from benchmarks.configs import examples_key
from benchmarks.finished import Marker, key
from pipelines.config import RunConfig
from trainer.config import ModelConfig

CONFIG = """
data:
  interactions:
    path: clicks.csv
    columns: {user_id: {kind: id}, item_id: {kind: id}}
"""


def test_the_key_depends_on_what_goes_in_and_on_nothing_else(tmp_path):
    config, clicks = tmp_path / "a.yaml", tmp_path / "clicks.csv"
    config.write_text(CONFIG)
    clicks.write_text("user_id,item_id\nu,i\n")
    before = examples_key(RunConfig.read(config))
    assert examples_key(RunConfig.read(config)) == before
    clicks.write_text("user_id,item_id\nu,j\n")
    changed = examples_key(RunConfig.read(config))
    assert changed != before
    config.write_text(CONFIG + "  split: {kind: random}\n")
    assert examples_key(RunConfig.read(config)) not in (before, changed)


def test_parts_of_a_key_cannot_run_into_each_other():
    assert key("ab", "c") != key("a", "bc")
    assert key(ModelConfig(dimension=32)) != key(ModelConfig(dimension=64))


def test_a_marker_holds_the_last_key_only(tmp_path):
    marker = Marker(tmp_path / "finished" / "train")
    assert not marker.holds("a")
    marker.write("a")
    marker.write("b")
    assert marker.holds("b") and not marker.holds("a")
    marker.remove()
    marker.remove()
    assert not marker.holds("b")
    assert not list((tmp_path / "finished").iterdir())
