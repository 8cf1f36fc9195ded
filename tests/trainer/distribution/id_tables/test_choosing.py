import pytest

from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.train import build_model


@pytest.mark.parametrize("kind", ["full", "auto"])
def test_a_softmax_over_all_items_is_refused(tmp_path, examples, schema, config, progress, kind):
    values = config.model_dump(mode="json", by_alias=True)
    values["train"]["distribution"] = {"kind": "mirrored", "devices": 2, "id_tables": "sharded"}
    values["model"]["negatives"]["kind"] = kind
    with pytest.raises(InputError, match=f"sharded needs sampled negatives, and with .*kind: {kind}"):
        build_model(examples, tmp_path, schema, TrainerConfig.model_validate(values), progress)
