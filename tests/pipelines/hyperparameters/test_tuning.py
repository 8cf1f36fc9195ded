"""The real command on tiny tables: what it leaves, kills, and several processes."""

import os
import re
import signal

import yaml
from matplotlib.image import imread

from pipelines.config import RunConfig
from pipelines.hyperparameters.best import BEST_FILE
from pipelines.hyperparameters.picture import PICTURE_FILE
from tests.pipelines.hyperparameters.conftest import SEARCH, read_rows

RANGES = {
    "train.learning_rate": {"low": 1e-4, "high": 0.05, "log": True},
    "model.dropout": {"low": 0, "high": 0.5},
    "model.blocks": {"low": 1, "high": 2},
}


def test_every_combination_is_tried_once_the_configs_own_first(searched):
    folder, _, output = searched
    rows = read_rows(folder)
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    rates = [float(row["train.learning_rate"]) for row in rows]
    assert rates[0] == 0.01 and sorted(rates) == sorted(SEARCH["train.learning_rate"]["values"])
    assert f"tandem run --config {folder / BEST_FILE}" in output


def test_a_poor_trial_is_given_up_early(searched):
    rows = {float(row["train.learning_rate"]): row for row in read_rows(searched[0])}
    assert rows[1e-9]["outcome"] == "given up"
    # No trial is given up in its first epoch; in the second it is worse than the only other one.
    assert rows[1e-9]["epochs"] == "2"
    assert rows[1e-9]["reason"] == "worse than the median after epoch 2"
    assert rows[0.01]["outcome"] == "complete" and rows[0.01]["epochs"] == "5"


def test_the_best_config_holds_the_best_values_and_extends_nothing(searched):
    folder, path, _ = searched
    complete = [row for row in read_rows(folder) if row["outcome"] == "complete"]
    best = max(complete, key=lambda row: float(row["ndcg@10"]))
    written = yaml.safe_load((folder / BEST_FILE).read_text(encoding="utf-8"))
    assert not {"extends", "tune"} & set(written)
    read, original = RunConfig.read(folder / BEST_FILE), RunConfig.read(path)
    assert read.trainer.train.learning_rate == float(best["train.learning_rate"])
    assert read.trainer.model == original.trainer.model and read.trainer.model.heads == 1
    assert read.name == "tiny"
    remark = (folder / BEST_FILE).read_text(encoding="utf-8").splitlines()[0]
    assert f"Trial {best['trial']} of 3" in remark and f"{float(best['ndcg@10']):.4f}" in remark


def test_the_best_config_runs_and_reaches_what_the_trial_did(searched, tandem, tmp_path):
    folder, _, _ = searched
    output, _ = tandem(
        "run", "--config", folder / BEST_FILE, "--output", tmp_path / "run", "--until", "train"
    )
    best = max(float(row["ndcg@10"]) for row in read_rows(folder) if row["outcome"] == "complete")
    assert f"validation NDCG@10 {best:.4f}" in output


def test_a_picture_and_logs_are_left_and_checkpoints_are_not(searched):
    folder, _, _ = searched
    assert imread(folder / PICTURE_FILE).std() > 0.01
    assert sorted(path.name for path in (folder / "logs").iterdir()) == ["0", "1", "2"]
    assert not list((folder / "training").iterdir())


def test_the_same_command_again_trains_nothing(searched, tandem):
    folder, path, _ = searched
    before = read_rows(folder)
    output, _ = tandem("tune", "--config", path, "--output", folder, "--trials", "5")
    assert "epoch" not in re.sub(r"│.*|┃.*", "", output)
    assert read_rows(folder) == before


def test_another_search_does_not_share_the_folder(searched, tandem, write_config):
    folder, _, _ = searched
    other = write_config("other", {"model.dropout": {"low": 0.1, "high": 0.2}})
    _, errors = tandem("tune", "--config", other, "--output", folder, "--trials", "5", status=2)
    assert f"{folder}: holds trials of another config or of other data; choose another folder" in errors


def test_a_killed_search_goes_on_with_the_epoch_after_the_last(tandem, write_config, tmp_path):
    path = write_config("killed", SEARCH, pruning=None)
    command = ("tune", "--config", path, "--output", tmp_path / "tuning", "--trials", "2")
    tandem.killed_at(r"trial 1  epoch   2", *command)
    assert {path.name for path in (tmp_path / "tuning" / "training").iterdir()} == {"1"}
    output, _ = tandem(*command)
    epochs = re.findall(r"^trial (\d)  epoch +(\d)", output, re.MULTILINE)
    # An epoch counts as trained once it is saved, which the kill may or may not have come after.
    assert epochs in ([("1", str(epoch)) for epoch in range(first, 6)] for first in (3, 4))
    rows = read_rows(tmp_path / "tuning")
    assert [(row["trial"], row["outcome"], row["epochs"]) for row in rows] == [
        ("0", "complete", "5"),
        ("1", "complete", "5"),
    ]


def test_two_processes_share_the_trials_and_end_with_the_one_that_started_them(
    tandem, write_config, tmp_path
):
    path = write_config("parallel", RANGES)
    folder = tmp_path / "tuning"
    command = ("tune", "--config", path, "--output", folder, "--trials", "4", "--parallel", "2")
    process = tandem.start(*command)
    begun = set()
    while len(begun) < 2:
        begun |= set(re.findall(r"^trial (\d)  epoch", process.stdout.readline()))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()  # returns once the workers, who print to the same pipe, have ended too
    output, _ = tandem(*command)
    rows = read_rows(folder)
    assert sorted(row["trial"] for row in rows)[:2] == ["0", "1"] and len(rows) == 4
    assert {row["outcome"] for row in rows} <= {"complete", "given up"}
    assert len({row["train.learning_rate"] for row in rows}) == 4
    for row in rows:
        assert 1e-4 <= float(row["train.learning_rate"]) <= 0.05
        assert 0 <= float(row["model.dropout"]) <= 0.5
        assert row["model.blocks"] in ("1", "2")
    assert rows[0]["train.learning_rate"] == "0.01"
    assert "The best is trial" in output
