"""What can be tried without a TPU: `TPUEmbedding` then holds plain variables."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.distribution.checkpoints import Checkpoints
from trainer.distribution.cluster import Cluster
from trainer.distribution.id_tables.tpu import HostCopy, TpuTables, saved_tables
from trainer.draw import DRAWN
from trainer.export import export
from trainer.layers.id_embedding import IdEmbedding
from trainer.refit import exported_checkpoint
from trainer.result import TrainResult, fingerprint
from trainer.train import build_model, prepare, refit
from trainer.training_batches import TrainingBatches
from trainer.version import Version
from trainer.warm_start import WarmStart

EXACT = {"dropout": 0.0, "ranker_dropout": 0.0, "id_dropout": 0.0}


@pytest.fixture(scope="module")
def on_tpu(config):
    values = config.model_dump(mode="json", by_alias=True)
    values["model"] |= EXACT | {"negatives": {"kind": "sampled", "uniform": 10}}
    values["train"] |= {"distribution": {"kind": "tpu", "id_tables": "sharded"}, "batch_size": 8}
    values["search"]["enabled"] = False
    return TrainerConfig.model_validate(values)


@pytest.fixture(scope="module")
def elsewhere(on_tpu):
    one = TrainerConfig.model_validate({"train": {"batch_size": 8}}).train
    return on_tpu.model_copy(update={"train": one})


@pytest.fixture(scope="module")
def models(tmp_path_factory, examples, schema, on_tpu, elsewhere, progress):
    """A model whose tables are `TPUEmbedding`'s, and a plain one of the same weights."""
    folder = tmp_path_factory.mktemp("models")
    model, _, _ = build_model(examples, folder, schema, on_tpu, progress)
    plain, _, _ = build_model(examples, folder, schema, elsewhere, progress)
    for number, weight in enumerate(model.trainable_variables):
        weight.assign(tf.random.stateless_normal(weight.shape, [number, 1], stddev=0.1))
    for weight, same in zip(_in_order(model), _in_order(plain), strict=True):
        same.assign(weight)
    return model, plain


def _in_order(model):
    """The weights, the tables first."""
    tables = [model.item_tower._id.embeddings, model.ranker._user_embedding]
    seen = {table.ref() for table in tables}
    return [*tables, *(weight for weight in model.variables if weight.ref() not in seen)]


@pytest.fixture(scope="module")
def batches(examples, schema, config):
    return TrainingBatches(examples, schema, config.model.history + 1, 8, 0)


def test_tables_are_those_of_the_layer(models):
    model, _ = models
    assert isinstance(model.id_tables, TpuTables)
    assert len(model.id_tables.trainable_variables) == 2
    names = [weight.name for weight in model.trainable_variables]
    assert len(names) == len({weight.ref() for weight in model.trainable_variables})


def test_the_loss_of_a_step_that_the_host_drew_is_that_of_plain_tables(models, batches):
    model, plain = models
    prepared = model.id_tables.prepared(batches.epoch(0), model.draw, model.known_user)
    for batch in prepared.take(2):
        rows = batch[DRAWN]["rows"]
        assert rows["items"].shape == [8 * 9 + 10] and rows["items"].dtype == tf.int32
        drawn = {name: value for name, value in batch.items() if name != DRAWN}
        expected = float(plain.compute_loss(drawn, training=True))
        assert float(model.compute_loss(batch, training=True)) == pytest.approx(expected, abs=1e-5)


def test_the_shapes_of_what_is_looked_up_are_always_the_same(models, batches):
    model, _ = models
    prepared = model.id_tables.prepared(batches.epoch(0), model.draw, model.known_user)
    rows = prepared.element_spec[DRAWN]["rows"]
    assert all(spec.shape.is_fully_defined() for spec in rows.values())
    assert len({batch["item"].shape[1] for batch in prepared}) > 1


def test_it_learns_and_its_tables_are_exported_as_plain_ones(
    tmp_path, examples, schema, on_tpu, batches, progress
):
    training = tmp_path / "training"
    training.mkdir()
    model, _, _ = build_model(examples, training, schema, on_tpu, progress)
    prepare(model, on_tpu, batches)
    before = [table.numpy() for table in model.id_tables.trainable_variables]
    model.fit(model.id_tables.prepared(batches.epoch(0), model.draw, model.known_user), verbose=0)
    for table, old in zip(model.id_tables.trainable_variables, before, strict=True):
        assert np.abs(table.numpy() - old).max() > 1e-3
    Checkpoints(training / "best", Cluster(), model=model).save(1)
    TrainResult(fingerprint(schema, on_tpu), 1, 1, 0.1, 0.1, 0.1, None).write(training)
    folder = export(examples, training, tmp_path / "model", on_tpu, progress)
    np.testing.assert_allclose(Version.read(folder).items.vectors, model.catalogue().numpy(), atol=1e-5)


class Watching(Cluster):
    """Remembers what it was given to train on."""

    def fit_epoch(self, model, batches, epoch, callbacks):
        self.seen = batches.element_spec
        super().fit_epoch(model, batches, epoch, callbacks)


def test_rows_are_drawn_on_the_host_for_the_validation_part_too(tmp_path, examples, schema, on_tpu, progress):
    cluster = Watching()
    refit(examples, tmp_path, schema, on_tpu, 1, progress, None, cluster)
    assert set(cluster.seen[DRAWN]["rows"]) == {"items", "users"}
    assert exported_checkpoint(tmp_path, refitted=True)


def test_what_a_checkpoint_holds_is_what_is_read_on_the_host(models):
    model, _ = models
    saved = saved_tables(model.id_tables._embedding, ["items", "users"])
    copy, tables = HostCopy("items"), IdTablesOf(model.schema.items.first_unseen)
    layer = tables.layer(copy)
    with pytest.raises(ValueError, match="embeddings of items are on the TPU"):
        layer(tf.constant([1, 2]))
    copy.values = saved["items"]
    np.testing.assert_array_equal(layer(tf.constant([1, 2])), model.item_tower._id(tf.constant([1, 2])))
    assert saved["users"].shape == (model.schema.users.first_unseen, 16)


class IdTablesOf:
    """Tables that hand out what they are told to."""

    def __init__(self, rows):
        self._rows = rows

    def layer(self, table):
        self.add = lambda *_: table
        return IdEmbedding(self, self._rows, 16)


def test_an_older_model_is_nothing_to_start_from(tmp_path, examples, models, on_tpu, progress):
    start = WarmStart(examples, tmp_path / "older", on_tpu)
    with pytest.raises(InputError, match="tables that a TPU holds cannot start from an older model"):
        start.into(models[0], examples, progress)
