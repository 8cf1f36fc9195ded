import json

import pytest

from preprocessing.schema import InputError
from trainer.config import parse_config
from trainer.distribution.config import (
    CLUSTER,
    MirroredConfig,
    MultiWorkerConfig,
    OneConfig,
    TpuConfig,
    is_in_cluster,
)
from trainer.distribution.connecting import connect, is_chief
from trainer.result import fingerprint


def place(monkeypatch, kind, index):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    monkeypatch.setenv(CLUSTER, json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))


def test_the_environment_says_who_is_the_chief(monkeypatch):
    workers = MultiWorkerConfig(kind="multi_worker")
    assert not is_in_cluster(workers) and is_chief(workers)
    place(monkeypatch, "chief", 0)
    assert is_in_cluster(workers) and is_chief(workers)
    place(monkeypatch, "worker", 0)
    assert not is_chief(workers)
    assert not is_in_cluster(OneConfig()) and is_chief(OneConfig())  # it is not asked
    place(monkeypatch, "evaluator", 0)
    with pytest.raises(InputError, match="TF_CONFIG: not a chief or worker of a cluster"):
        is_chief(workers)


def test_the_cpu_cannot_be_parted_once_tensorflow_has_started(examples):
    with pytest.raises(InputError, match="TensorFlow has started in this process"):
        connect(MirroredConfig(kind="mirrored", devices=3))
    with pytest.raises(InputError, match="no GPU; say into how many devices to part its CPU"):
        connect(MirroredConfig(kind="mirrored"))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"kind": "many"}, "train.distribution"),
        ({"kind": "one", "devices": 2}, "train.distribution.*devices"),
        ({"kind": "one", "id_tables": "sharded"}, "train.distribution.*id_tables"),
        ({"kind": "mirrored", "id_tables": "halved"}, "id_tables.*'replicated' or 'sharded'"),
        ({"kind": "multi_worker", "workers": 0}, "train.distribution.*workers.*greater than 0"),
    ],
)
def test_each_kind_has_settings_of_its_own(section, said):
    with pytest.raises(InputError, match=said):
        parse_config({"train": {"distribution": section}}, "c")


def test_a_training_may_go_on_on_other_devices(schema, config):
    two = MirroredConfig(kind="mirrored", devices=2)
    other = config.model_copy(update={"train": config.train.model_copy(update={"distribution": two})})
    assert fingerprint(schema, other) == fingerprint(schema, config)


def test_tables_of_a_tpu_are_another_training(schema, config):
    """Their checkpoints are of another kind; where tables are divided otherwise they are the same."""

    def with_tables(distribution):
        train = config.train.model_copy(update={"distribution": distribution})
        return fingerprint(schema, config.model_copy(update={"train": train}))

    plain = with_tables(OneConfig())
    assert with_tables(MultiWorkerConfig(kind="multi_worker", id_tables="sharded")) == plain
    assert with_tables(TpuConfig(kind="tpu")) == plain
    assert with_tables(TpuConfig(kind="tpu", id_tables="sharded")) != plain


def test_a_tpu_holds_the_tables_of_one_model_alone():
    tpu = {"kind": "tpu", "id_tables": "sharded"}
    with pytest.raises(InputError, match="refit makes a second model, and a TPU holds sharded id_tables"):
        parse_config({"train": {"distribution": tpu, "refit": True}}, "c")
