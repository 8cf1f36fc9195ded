from pathlib import Path

import pytest
import yaml

from pipelines.config import RunConfig
from pipelines.hyperparameters.best import write_best
from pipelines.hyperparameters.config import read_tune_config
from pipelines.hyperparameters.space import Space
from pipelines.work.push import serving_folder
from preprocessing.plan import make_plan
from preprocessing.schema import read_config_mapping


@pytest.mark.parametrize("pushed", ["serving/shop", "/absolute/shop"])
def test_what_is_relative_leads_to_the_same_places(write_config, tmp_path, pushed):
    path = write_config("relative", {"model.dropout": {"values": [0, 0.5]}})
    with path.open("a", encoding="utf-8") as stream:
        stream.write(yaml.safe_dump({"push": {"folder": pushed}}))
    space = Space.of(read_tune_config(path), path, read_config_mapping(path))
    best = RunConfig.read(write_best(tmp_path, space, "tiny", {"model.dropout": 0.5}, "the best"))
    config = RunConfig.read(path)
    assert serving_folder(best, tmp_path).resolve() == serving_folder(config, tmp_path).resolve()
    plans = [make_plan(each.data, each.base) for each in (best, config)]
    found = [
        [Path(file.path).resolve() for source in plan.sources for file in source.files] for plan in plans
    ]
    assert found[0] == found[1]
