import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.distribution.replica import Replica
from trainer.tasks.retrieval import CandidateSoftmax
from trainer.train import build_model, prepare
from trainer.training_batches import TrainingBatches


@pytest.mark.parametrize(("kind", "tolerance"), [("full", 1e-5), ("sampled", 0.1)])
def test_a_step_compiles_and_comes_to_the_same(tmp_path, examples, schema, config, progress, kind, tolerance):
    """A TPU runs nothing that XLA does not compile; here it compiles for the CPU, and draws otherwise."""
    values = config.model_dump(mode="json", by_alias=True)
    values["model"] |= {"dropout": 0.0, "ranker_dropout": 0.0, "id_dropout": 0.0, "user_dropout": 0.0}
    values["model"] |= {"negatives": {"kind": kind, "uniform": 10}}
    values["model"]["loss"] = {"alpha": 0.5, "beta": 0.1, "lambda": 0.3}
    settings = TrainerConfig.model_validate(values)
    model, _, _ = build_model(examples, tmp_path, schema, settings, progress)
    batches = TrainingBatches(examples, schema, 9, 16, 0)
    prepare(model, settings, batches)
    batch = next(iter(batches.epoch(0)))
    expected = float(model.compute_loss(batch, training=True))
    model.retrieval = CandidateSoftmax(settings.model.temperature, at_a_time=None)
    before = [weight.numpy() for weight in model.trainable_variables]
    for metric in model.metrics:
        metric.reset_state()
    metrics = tf.function(model.train_step, jit_compile=True)(batch)
    assert float(metrics["mean_loss"]) == pytest.approx(expected, rel=tolerance)
    moved = [
        np.abs(weight - old).max() for weight, old in zip(model.trainable_variables, before, strict=True)
    ]
    assert min(moved) > 0


def test_the_rows_of_a_replica_are_found_by_a_number_that_is_known_late():
    share = tf.function(lambda number, values: Replica(number, 3).share(values), jit_compile=True)
    shares = [share(tf.constant(number), tf.range(7)).numpy().tolist() for number in range(3)]
    assert shares == [[0, 3, 6], [1, 4], [2, 5]]
    assert Replica(2, 3).share(tf.range(2)).shape == [0]
