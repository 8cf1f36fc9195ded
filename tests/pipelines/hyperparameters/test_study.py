from pipelines.hyperparameters.config import read_tune_config
from pipelines.hyperparameters.results import results_of
from pipelines.hyperparameters.space import Space
from pipelines.hyperparameters.study import RETRIES, Study
from preprocessing.schema import read_config_mapping


def test_a_combination_that_kills_each_attempt_is_left_alone(write_config, tmp_path):
    path = write_config("killing", {"model.blocks": {"values": [1, 2]}})
    space = Space.of(read_tune_config(path), path, read_config_mapping(path))
    study = Study(tmp_path / "tuning", space, None, "this search")
    attempts = []
    while (claim := study.claim(2)) is not None and len(attempts) < 2 * RETRIES + 2:
        attempts.append((claim.name, claim.point["model.blocks"]))
        if claim.point["model.blocks"] == 2:
            claim.lock.release()  # as the end of a process does, whatever ended it
        else:
            study.complete(claim, 0.5)
    assert sorted(attempts) == [("0", 1)] + [("1", 2)] * (1 + RETRIES)
    assert [result.outcome for result in results_of(study.trials)] == ["complete", "killed"]
